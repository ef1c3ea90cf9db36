/**
 * Secrets planted in every field of the Kafka sink that holds one, in pipelines that fail.
 *
 * @module
 */

import { join } from "node:path";
import { encryptKey, issueCertificate, makeAuthority } from "../support/certificate.ts";
import type { SecureKafka } from "../support/kafka_secure.ts";
import { LoopbackServer } from "../support/loopback_server.ts";
import type { PipelineConfig } from "./deployment.ts";

/** What every planted secret holds, however it is written; some characters are written otherwise in a URL, a form or JSON. */
export const MARK = "5e1f0c7a";

/** The secret of a field. No control characters: some are sent as headers. */
const canary = (field: string) => `canary ${field} ${MARK} "@/+%\\`;

/** A pipeline that fails: its configuration, and the code that `status` then shows. */
export interface Failing {
  readonly code: string;
  readonly config: PipelineConfig;
}

/** Where secrets are planted. */
export class Plantation {
  readonly env: Record<string, string> = {};
  readonly #folder: string;
  /** Fields in which a secret was planted. */
  readonly fields = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A reference to a variable that holds a secret. */
  variable(field: string, secret = canary(field)): Record<string, string> {
    this.fields.add(field);
    const name = `KAFKA_CANARY_${Object.keys(this.env).length}`;
    this.env[name] = secret;
    return { [field]: `\${env:${name}}` };
  }

  /** The path of a file that holds a secret. */
  async file(field: string, secret = canary(field)): Promise<Record<string, string>> {
    this.fields.add(field);
    const path = join(this.#folder, crypto.randomUUID());
    await Deno.writeTextFile(path, `${secret}\n`);
    return { [field]: path };
  }
}

/** Answers every request with all that the request held, as an error of OAuth, of AWS in JSON, or of AWS in XML. */
export function echo(): LoopbackServer {
  return new LoopbackServer(({ path, headers, body }) => {
    const text = `${path} ${body} ${JSON.stringify([...headers])}`;
    if (path.startsWith("/sts")) {
      const xml =
        `<ErrorResponse><Error><Code>Denied</Code><Message>${text}</Message></Error></ErrorResponse>`;
      return new Response(xml, { status: 400, headers: { "content-type": "text/xml" } });
    }
    return Response.json({ error: text, error_description: text, message: text, code: text }, {
      status: 400,
    });
  });
}

/** Pipelines that fail in every way, by name. @param server whom {@link echo} gave */
export async function failingPipelines(
  secure: SecureKafka,
  plants: Plantation,
  server: LoopbackServer,
): Promise<Readonly<Record<string, Failing>>> {
  return {
    ...await passwordFailures(secure, plants),
    ...await tokenFailures(secure, plants, server),
    ...await certificateFailures(secure, plants),
  };
}

async function passwordFailures(secure: SecureKafka, plants: Plantation): Promise<Record<string, Failing>> {
  const { SASL_PLAINTEXT, SASL_SSL, SCRAM, TLS } = secure.listeners;
  const tls = { tls_enabled: true, tls_ca_cert: secure.authority.certificate };
  const user = { sasl_username: "relay", ...plants.variable("sasl_password") };
  const plain = { sasl_mechanism: "PLAIN", ...user };
  const inFile = await plants.file("sasl_password");
  const scram = { ...user, sasl_password: `\${file:${inFile["sasl_password"]}}` };
  const refused = "SASL_AUTHENTICATION_FAILED";
  return {
    plain: { code: refused, config: { brokers: SASL_PLAINTEXT, ...plain } },
    scram: {
      code: refused,
      config: { brokers: SASL_SSL, sasl_mechanism: "SCRAM-SHA-512", ...scram, ...tls },
    },
    not_offered: { code: "UNSUPPORTED_SASL_MECHANISM", config: { brokers: SCRAM, ...plain } },
    no_sasl: { code: "ILLEGAL_SASL_STATE", config: { brokers: TLS, ...plain, ...tls } },
    no_tls: { code: "TLS_REQUIRED", config: { brokers: SASL_SSL, ...plain } },
    nobody: { code: "BROKER_UNREACHABLE", config: { brokers: "127.0.0.1:1", ...plain } },
  };
}

async function tokenFailures(
  { listeners, authority }: SecureKafka,
  plants: Plantation,
  { origin }: LoopbackServer,
): Promise<Record<string, Failing>> {
  const tls = { brokers: listeners.SASL_SSL, tls_enabled: true, tls_ca_cert: authority.certificate };
  const aws = { ...tls, sasl_mechanism: "AWS_MSK_IAM", sasl_aws_region: "eu-central-1" };
  return {
    oauth: {
      code: "OAUTH_SERVER_REFUSED",
      config: {
        ...tls,
        sasl_mechanism: "OAUTHBEARER",
        sasl_oauth_token_url: `${origin}/token`,
        sasl_oauth_client_id: "relay",
        ...plants.variable("sasl_oauth_client_secret"),
      },
    },
    aws_static: {
      code: "SASL_AUTHENTICATION_FAILED",
      config: {
        ...aws,
        sasl_aws_credentials: "static",
        sasl_aws_access_key_id: "AKIDEXAMPLE",
        ...plants.variable("sasl_aws_secret_access_key"),
        ...plants.variable("sasl_aws_session_token"),
      },
    },
    aws_container: {
      code: "AWS_CREDENTIALS_REFUSED",
      config: {
        ...aws,
        sasl_aws_credentials: "container",
        sasl_aws_credentials_url: `${origin}/credentials`,
        ...await plants.file("sasl_aws_credentials_token"),
      },
    },
    aws_web_identity: {
      code: "AWS_STS_REFUSED",
      config: {
        ...aws,
        sasl_aws_credentials: "web_identity",
        sasl_aws_sts_url: `${origin}/sts`,
        sasl_aws_role_arn: "arn:aws:iam::123456789012:role/relay",
        ...await plants.file("sasl_aws_web_identity_token"),
      },
    },
  };
}

async function certificateFailures(
  secure: SecureKafka,
  plants: Plantation,
): Promise<Record<string, Failing>> {
  const { certificate, key } = secure.client;
  const tls = {
    brokers: secure.listeners.SSL,
    tls_enabled: true,
    tls_ca_cert: secure.authority.certificate,
    tls_client_cert: certificate,
  };
  const foreign = await issueCertificate(await makeAuthority("another"), { subject: { CN: "relay" } });
  const noted = (pem: string) => `${pem}${canary("tls_client_key")}`;
  return {
    key_garbage: {
      code: "TLS_CONFIGURATION",
      config: {
        ...tls,
        ...await plants.file("tls_client_key", `-----BEGIN PRIVATE KEY-----\n${canary("key")}`),
      },
    },
    key_password: {
      code: "TLS_CONFIGURATION",
      config: {
        ...tls,
        ...await plants.file("tls_client_key", noted(await encryptKey(key, "another"))),
        ...plants.variable("tls_client_key_password"),
      },
    },
    key_refused: {
      code: "TLS_CLIENT_CERTIFICATE",
      config: {
        ...tls,
        tls_client_cert: foreign.certificate,
        ...plants.variable("tls_client_key", noted(foreign.key)),
      },
    },
  };
}
