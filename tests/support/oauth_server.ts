/**
 * An OAuth server that gives out tokens which the secure broker believes, to one client.
 *
 * @module
 */

import type { TestCertificate } from "./certificate.ts";
import type { SecureKafka } from "./kafka_secure.ts";
import { LoopbackServer } from "./loopback_server.ts";
import type { TokenContent } from "./test_token.ts";

const CLIENT_ID = "relay at the OAuth server";

/** The server. */
export class OAuthServer extends LoopbackServer {
  /** What tokens say. */
  content: TokenContent = { subject: "relay" };
  /** The client's secret. */
  secret = "oauth secret: é%+";

  /** @param secure the broker that is to believe its tokens @param certificate with one it talks TLS */
  constructor(secure: SecureKafka, certificate?: TestCertificate) {
    super(async ({ headers }) => {
      if (headers.get("authorization") !== this.#authorization()) {
        return Response.json({ error: "invalid_client" }, { status: 401 });
      }
      const { lifetimeS = 600 } = this.content;
      const token = await secure.token(this.content);
      return Response.json({ access_token: token, token_type: "Bearer", expires_in: lifetimeS });
    }, certificate);
  }

  /** The fields by which a sink gets its tokens here. */
  get fields(): Readonly<Record<string, string>> {
    return {
      sasl_mechanism: "OAUTHBEARER",
      sasl_oauth_token_url: `${this.origin}/oauth2/token`,
      sasl_oauth_client_id: CLIENT_ID,
      sasl_oauth_client_secret: this.secret,
    };
  }

  #authorization(): string {
    const encoded = [CLIENT_ID, this.secret].map((text) =>
      new URLSearchParams({ x: text }).toString().slice(2)
    );
    return `Basic ${new TextEncoder().encode(encoded.join(":")).toBase64()}`;
  }
}
