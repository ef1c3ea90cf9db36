/**
 * What an external plugin's Worker would start with if nothing were taken away: for tests that show that the attacks are real.
 *
 * @module
 */

import * as sdk from "@pg-tide/sdk";
import { SDK_GLOBAL } from "../../src/host/sdk_shim.ts";

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<{ readonly url: string }>) => void) | null;
};

Object.defineProperty(globalThis, SDK_GLOBAL, { value: sdk });
scope.onmessage = ({ data }) => {
  scope.onmessage = null;
  import(data.url);
};
