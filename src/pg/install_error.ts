/**
 * What a failed installation means to a user.
 *
 * @module
 */

import { EXIT, messageOf, UserError } from "../base/errors.ts";
import { errorCode, hintOf } from "./connect_error.ts";

/** A class of SQLSTATEs of our own: message and hint are written for users. */
const OWN_CLASS = "TD";

const INSUFFICIENT_PRIVILEGE = "42501";

/** The error to show instead of `error`, which the server raised while the schema was installed. */
export function installError(error: unknown): unknown {
  const code = errorCode(error);
  if (code.startsWith(OWN_CLASS)) {
    return new UserError(messageOf(error), {
      code: `INSTALL_${code}`,
      advice: hintOf(error),
      exitCode: EXIT.usage,
      cause: error,
    });
  }
  if (code === INSUFFICIENT_PRIVILEGE) {
    return new UserError(`Cannot install pg-tide: ${messageOf(error)}`, {
      code: "POSTGRES_NO_RIGHTS",
      advice:
        "Install as a role that may create a schema in the database (GRANT CREATE ON DATABASE … TO …), or as " +
        "the owner of the schema tide. `pg-tide install --print` shows the SQL for an administrator.",
      exitCode: EXIT.usage,
      cause: error,
    });
  }
  return error;
}
