import assert from "node:assert/strict";
import { type HttpAnswer, sendHttp } from "../../../../plugins/sink_kafka/authentication/http_request.ts";
import { SYSTEM_CLOCK } from "../../../../plugins/sink_kafka/clock.ts";
import { issueCertificate, makeAuthority } from "../../../support/certificate.ts";
import { freePort } from "../../../support/port.ts";
import { LoopbackServer } from "../../../support/loopback_server.ts";
import { SinkClock } from "../../../support/sink_clock.ts";
import { waitUntil } from "../../../support/wait.ts";

const get = (url: string, ca?: string): Promise<HttpAnswer> =>
  sendHttp({ url: new URL(url), method: "GET", ca }, SYSTEM_CLOCK);

Deno.test("sendHttp() sends a form and gives the answer, whatever its status", async () => {
  await using server = new LoopbackServer(() => Response.json({ a: "é" }, { status: 418 }));
  const answer = await sendHttp({
    url: new URL(`${server.origin}/token?x=1`),
    method: "POST",
    headers: { authorization: "Basic x" },
    body: "a=%C3%A9&b=1",
  }, SYSTEM_CLOCK);
  assert.deepEqual([answer.status, answer.text], [418, '{"a":"é"}']);
  const [{ method, path, headers, body } = assert.fail("nothing came")] = server.requests;
  assert.deepEqual([method, path, body], ["POST", "/token?x=1", "a=%C3%A9&b=1"]);
  assert.equal(headers.get("content-type"), "application/x-www-form-urlencoded");
  assert.equal(headers.get("authorization"), "Basic x");
  assert.equal(headers.get("accept"), "application/json");
});

Deno.test("sendHttp() follows no redirect", async () => {
  await using elsewhere = new LoopbackServer(() => new Response("here"));
  await using server = new LoopbackServer(() => Response.redirect(`${elsewhere.origin}/`, 307));
  assert.equal((await get(server.origin)).status, 307);
  assert.equal(elsewhere.requests.length, 0);
});

Deno.test("sendHttp() rejects with what the system says", async () => {
  await assert.rejects(get(`http://127.0.0.1:${freePort()}/`), /ECONNREFUSED/);
  await assert.rejects(get("http://nobody.invalid/"), /ENOTFOUND|EAI_AGAIN/);
  await using server = new LoopbackServer(() => new Response("x".repeat(1024 * 1024 + 1)));
  await assert.rejects(get(server.origin), /more than 1048576 characters/);
});

Deno.test("sendHttp() waits ten seconds for the whole answer", async () => {
  const half = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
  });
  await using server = new LoopbackServer(() => new Response(half));
  const clock = new SinkClock();
  const failed = assert.rejects(
    sendHttp({ url: new URL(server.origin), method: "GET" }, clock),
    /No answer within 10 seconds|aborted/,
  );
  await waitUntil(() => server.requests.length === 1, { what: "the request" });
  await clock.pass(10_000);
  await failed;
  await half.cancel().catch(() => {});
});

Deno.test("sendHttp() trusts the given authority, and no certificate for another name", async () => {
  const authority = await makeAuthority();
  const hosts = [["localhost"], ["elsewhere.example"]] as const;
  const [good, bad] = await Promise.all(
    hosts.map((names) => issueCertificate(authority, { subject: { CN: "x" }, hosts: names })),
  );
  await using server = new LoopbackServer(() => new Response("hello"), good);
  assert.equal((await get(server.origin, authority.certificate)).text, "hello");
  await assert.rejects(get(server.origin), { code: /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/ });
  await using other = new LoopbackServer(() => new Response("hello"), bad);
  await assert.rejects(get(other.origin, authority.certificate), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});
