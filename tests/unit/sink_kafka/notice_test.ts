import assert from "node:assert/strict";
import { parseOptions } from "../../../plugins/sink_kafka/config/options.ts";
import { noticeOf } from "../../../plugins/sink_kafka/notice.ts";
import { kafkaConfig } from "../../support/kafka_sink.ts";

const OAUTH = {
  brokers: "a:1",
  sasl_mechanism: "OAUTHBEARER",
  sasl_oauth_token_url: "https://login.example.com/",
  sasl_oauth_client_id: "relay",
  sasl_oauth_client_secret: "secret",
};

Deno.test("noticeOf() warns of tokens that anybody on the way can read", () => {
  const notice = (fields: Readonly<Record<string, boolean>>) =>
    noticeOf(parseOptions(kafkaConfig({ ...OAUTH, ...fields }).fields), new Set());
  assert.match(notice({}) ?? "", /^tokens are sent unencrypted, because tls_enabled is false/);
  assert.equal(notice({ tls_enabled: true }), undefined);
});
