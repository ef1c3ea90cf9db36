/**
 * Pipelines whose secrets stand in files, and what the files hold.
 *
 * @module
 */

import { join } from "node:path";
import type { TestCertificate } from "../support/certificate.ts";
import { allow } from "../support/kafka_rights.ts";
import type { SecureKafka } from "../support/kafka_secure.ts";
import { type TestTopic, testTopic } from "../support/test_topic.ts";
import type { PipelineConfig } from "./deployment.ts";

/** A folder with a password and a client's certificate, and a topic for the pipeline of each. */
export class SecretFiles implements AsyncDisposable {
  readonly folder: string;
  /** The topic of each pipeline, by the pipeline's name. */
  readonly topics: Readonly<Record<"password" | "certificate", TestTopic>>;
  readonly #secure: SecureKafka;
  readonly #username = `rotated-${crypto.randomUUID()}`;
  readonly #owned = new AsyncDisposableStack();

  private constructor(folder: string, secure: SecureKafka, topics: SecretFiles["topics"]) {
    this.folder = folder;
    this.topics = topics;
    this.#secure = secure;
    for (const topic of Object.values(topics)) this.#owned.use(topic);
  }

  /** Make a user and the topics, and write files that are good. */
  static async in(folder: string, secure: SecureKafka): Promise<SecretFiles> {
    const [password, certificate] = [await testTopic(secure.kafka, 3), await testTopic(secure.kafka, 3)];
    const files = new SecretFiles(folder, secure, { password, certificate });
    await files.#grant();
    await files.changePassword("first");
    await files.write("password", "first\n");
    await files.writeAuthority();
    await files.writeClient(secure.client);
    return files;
  }

  /** Write a file of the folder. */
  write(name: string, text: string): Promise<void> {
    return Deno.writeTextFile(join(this.folder, name), text);
  }

  /** The authority that the broker's certificate is of. */
  writeAuthority(): Promise<void> {
    return this.write("ca.pem", this.#secure.authority.certificate);
  }

  async writeClient({ certificate, key }: TestCertificate): Promise<void> {
    await this.write("client.pem", certificate);
    await this.write("client-key.pem", key);
  }

  /** Give the user another password at the broker. */
  async changePassword(password: string): Promise<void> {
    await this.#secure.kafka.tools.setPassword(this.#username, password);
  }

  /** The pipeline that shows the password. */
  get byPassword(): PipelineConfig {
    return {
      ...this.#tls,
      brokers: this.#secure.listeners.SASL_SSL,
      topic: this.topics.password.name,
      sasl_mechanism: "SCRAM-SHA-512",
      sasl_username: this.#username,
      sasl_password: `\${file:${join(this.folder, "password")}}`,
      idempotent: true,
    };
  }

  /** The pipeline that shows the certificate. */
  get byCertificate(): PipelineConfig {
    return {
      ...this.#tls,
      brokers: this.#secure.listeners.SSL,
      topic: this.topics.certificate.name,
      tls_client_cert: join(this.folder, "client.pem"),
      tls_client_key: join(this.folder, "client-key.pem"),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }

  get #tls(): PipelineConfig {
    return { sink_type: "kafka", tls_enabled: true, tls_ca_cert: join(this.folder, "ca.pem"), linger_ms: 0 };
  }

  async #grant(): Promise<void> {
    const topic = this.topics.password.name;
    const right = { principal: `User:${this.#username}`, operation: "WRITE", topic } as const;
    this.#owned.use(await allow(this.#secure.kafka.brokers, right));
  }
}
