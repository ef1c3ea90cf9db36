import { type Fault, FaultError } from "@pg-tide/sdk";
import assert from "node:assert/strict";
import { ClientCredentials } from "../../../../plugins/sink_kafka/authentication/client_credentials.ts";
import type { Token } from "../../../../plugins/sink_kafka/authentication/token.ts";
import { SYSTEM_CLOCK } from "../../../../plugins/sink_kafka/clock.ts";
import type { OAuthSasl } from "../../../../plugins/sink_kafka/config/sasl_oauth.ts";
import { makeAuthority, makeCertificate } from "../../../support/certificate.ts";
import { type Answer, LoopbackServer, type SeenRequest } from "../../../support/loopback_server.ts";

const SECRET = "s3cret:%&+ é";

/** A client of the server, which answers so. */
function clientOf(server: LoopbackServer, more: Partial<OAuthSasl> = {}): ClientCredentials {
  return new ClientCredentials({
    mechanism: "OAUTHBEARER",
    tokenUrl: `${server.origin}/oauth2/token?tenant=hidden`,
    clientId: "pg tide",
    clientSecret: SECRET,
    extensions: {},
    ...more,
  }, SYSTEM_CLOCK);
}

/** The fault with which no token is to be had. */
async function faultFrom(token: Promise<Token>): Promise<Exclude<Fault, { kind: "hosts" }>> {
  const error = await token.then(() => assert.fail("there is a token"), (error: unknown) => error);
  assert.ok(error instanceof FaultError && error.fault.kind !== "hosts", String(error));
  assert.ok(!JSON.stringify(error.fault).includes("s3cret"), "the secret is told");
  assert.ok(!JSON.stringify(error.fault).includes("hidden"), "a parameter of the URL is told");
  return error.fault;
}

const bearer = (token: string, more: Readonly<Record<string, unknown>> = {}) =>
  Response.json({ access_token: token, token_type: "Bearer", ...more });

/** Whether a request carries the client's id and secret in its header, as RFC 6749 (2.3.1) says. */
function isByHeader({ headers, body }: SeenRequest): boolean {
  const encoded = "pg+tide:s3cret%3A%25%26%2B+%C3%A9";
  const authorization = `Basic ${new TextEncoder().encode(encoded).toBase64()}`;
  return headers.get("authorization") === authorization && !body.includes("client_secret");
}

function isByBody({ headers, body }: SeenRequest): boolean {
  const form = new URLSearchParams(body);
  return !headers.has("authorization") && form.get("client_id") === "pg tide" &&
    form.get("client_secret") === SECRET;
}

Deno.test("ClientCredentials.fetch() asks with the header, and for the scope", async () => {
  await using server = new LoopbackServer(() => bearer("abc", { expires_in: 120 }));
  const beforeMs = SYSTEM_CLOCK.monotonicMs();
  const token = await clientOf(server, { scope: "kafka write" }).fetch();
  assert.equal(token.value, "abc");
  const lifeMs = token.expiresAtMs - beforeMs;
  assert.ok(lifeMs >= 120_000 && lifeMs < 180_000, String(lifeMs));
  const [request = assert.fail("nothing came")] = server.requests;
  assert.deepEqual([request.method, request.path], ["POST", "/oauth2/token?tenant=hidden"]);
  assert.equal(request.body, "grant_type=client_credentials&scope=kafka+write");
  assert.ok(isByHeader(request));
});

Deno.test("ClientCredentials.fetch() asks once more with the body where the header is not understood, and then so at once", async () => {
  for (const status of [400, 401]) {
    const unknown = () => Response.json({ error: "invalid_client" }, { status });
    await using server = new LoopbackServer((request) => isByBody(request) ? bearer("abc") : unknown());
    const client = clientOf(server);
    assert.equal((await client.fetch()).value, "abc");
    assert.deepEqual(server.requests.map(isByHeader), [true, false]);
    assert.equal((await client.fetch()).value, "abc");
    assert.equal(server.requests.length, 3);
  }
});

Deno.test("ClientCredentials.fetch() names client and server when a secret is wrong, and what the server says", async () => {
  const words = { error: "invalid_client", error_description: "No such\nclient,\u0007 or another secret" };
  await using server = new LoopbackServer(() => Response.json(words, { status: 401 }));
  const fault = await faultFrom(clientOf(server).fetch());
  assert.ok(fault.kind === "configuration");
  assert.equal(fault.code, "OAUTH_SERVER_REFUSED");
  assert.equal(
    fault.reason,
    `The OAuth server ${server.origin}/oauth2/token refuses client "pg tide": invalid_client: No such client, or another secret`,
  );
  assert.match(fault.advice, /sasl_oauth_client_id.*sasl_oauth_client_secret/);
  assert.equal(server.requests.length, 2, "by header and by body");
});

Deno.test("ClientCredentials.fetch() tells the secret to nobody, though the server repeats what it was asked", async () => {
  await using server = new LoopbackServer(({ headers, body }) => {
    const words = `${headers.get("authorization")} ${body} ${SECRET}`;
    return Response.json({ error: "invalid_scope", error_description: words }, { status: 400 });
  });
  const byHeader = await faultFrom(clientOf(server).fetch());
  assert.match(byHeader.reason, /: invalid_scope: Basic \*\*\* grant_type=client_credentials \*\*\*$/);
  await using other = new LoopbackServer(({ body }) =>
    Response.json({ error: "invalid_client", error_description: body }, { status: 400 })
  );
  const byBody = await faultFrom(clientOf(other).fetch());
  assert.match(byBody.reason, /&client_id=pg\+tide&client_secret=\*\*\*$/);
});

Deno.test("ClientCredentials.fetch() asks a server once that knows the client and allows it nothing", async () => {
  for (const error of ["unauthorized_client", "invalid_scope"]) {
    await using server = new LoopbackServer(() => Response.json({ error }, { status: 400 }));
    const fault = await faultFrom(clientOf(server, { scope: "kafka" }).fetch());
    assert.ok(fault.kind === "configuration");
    assert.match(fault.advice, /Allow the client .* scope "kafka" of sasl_oauth_scope/);
    assert.equal(server.requests.length, 1);
  }
});

Deno.test("ClientCredentials.fetch() takes no answer but a token for one, and tells nothing of its text", async () => {
  const html = { "content-type": "text/html; charset=utf-8" };
  const page = "<html>s3cret page</html>";
  const cases: readonly (readonly [Answer, RegExp])[] = [
    [
      () => new Response(page, { headers: html }),
      /answers 200 OK \(text\/html\), expected JSON with an access_token$/,
    ],
    [
      () => new Response(page, { status: 404, headers: html }),
      /answers 404 Not Found \(text\/html\), expected a token$/,
    ],
    [
      () => Response.redirect("http://127.0.0.1:1/s3cret", 302),
      /302 Found \(a redirect, which is not followed\)/,
    ],
    [() => Response.json({ token: "abc" }), /expected JSON with an access_token$/],
    [() => Response.json({ access_token: "" }), /expected JSON with an access_token$/],
    [() => Response.json({ access_token: { s3cret: 1 } }), /expected JSON with an access_token$/],
    [() => Response.json("s3cret"), /expected JSON with an access_token$/],
    [() => Response.json([]), /expected JSON with an access_token$/],
    [
      () => Response.json({ error: "no", access_token: "s3cret" }, { status: 403 }),
      /refuses client "pg tide": no$/,
    ],
    [
      () => Response.json({ access_token: "s3cret", token_type: "DPoP" }),
      /a token of another type than bearer$/,
    ],
    [() => bearer("s3cret\r\nx: y"), /a token of another type than bearer$/],
  ];
  for (const [answer, reason] of cases) {
    await using server = new LoopbackServer(answer);
    const fault = await faultFrom(clientOf(server).fetch());
    assert.equal(fault.kind, "configuration");
    assert.match(fault.reason, reason);
  }
});

Deno.test("ClientCredentials.fetch() takes what may pass for an outage, and waits as long as it is asked to", async () => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    const headers = { "retry-after": "7" };
    await using server = new LoopbackServer(() => new Response("<html>s3cret</html>", { status, headers }));
    const fault = await faultFrom(clientOf(server).fetch());
    assert.ok(fault.kind === "unavailable");
    assert.equal(fault.code, "OAUTH_SERVER_UNAVAILABLE");
    assert.equal(fault.retryAfterMs, 7_000);
    assert.match(fault.reason, new RegExp(`answers ${status} [A-Z]`));
  }
  await using server = new LoopbackServer(() => bearer("abc"));
  await server.halt();
  const fault = await faultFrom(clientOf(server).fetch());
  assert.ok(fault.kind === "unavailable");
  assert.equal(fault.code, "OAUTH_SERVER_UNREACHABLE");
  assert.match(
    fault.reason,
    /^Cannot reach the OAuth server http:\/\/127.*ECONNREFUSED.*Check sasl_oauth_token_url/,
  );
});

Deno.test("ClientCredentials.fetch() trusts the authority that it is given, and says how when it trusts none", async () => {
  const certificate = await makeCertificate();
  await using server = new LoopbackServer(() => bearer("abc"), certificate);
  assert.equal((await clientOf(server, { ca: certificate.certificate }).fetch()).value, "abc");
  for (const ca of [undefined, (await makeAuthority()).certificate]) {
    const fault = await faultFrom(clientOf(server, ca === undefined ? {} : { ca }).fetch());
    assert.ok(fault.kind === "configuration");
    assert.equal(fault.code, "OAUTH_SERVER_CERTIFICATE");
    assert.match(
      fault.advice,
      /^Set sasl_oauth_ca_cert to the authority .* the name in sasl_oauth_token_url/,
    );
  }
});
