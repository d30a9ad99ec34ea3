import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { type Environment, parseConfig, type Role } from "../../services/config.ts";
import { BY_NAME } from "../../services/config-table.ts";
import { RECOMMENDED_IN_CLUSTER } from "../../services/nats-version.ts";
import { makeCertificates } from "../support/certificates.ts";
import { ROOT } from "../support/process.ts";

const FOLDER = join(ROOT, "deploy/kubernetes");
/** What stopping may take after the drain, in seconds. */
const STOP_SECONDS = 8;

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
  readonly securityContext: object;
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly selector?: { readonly matchLabels?: object };
    readonly podSelector?: { readonly matchLabels: object };
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
    readonly metrics?: readonly { readonly pods: { readonly metric: { readonly name: string } } }[];
    readonly template: {
      readonly metadata: { readonly labels: object };
      readonly spec: {
        readonly enableServiceLinks: boolean;
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: object;
        readonly containers: readonly Container[];
      };
    };
  };
}

async function readManifests(): Promise<Manifest[]> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith(".yaml"));
  const texts = await Promise.all(files.map((name) => readFile(join(FOLDER, name), "utf8")));
  return texts.flatMap((text) =>
    parseAllDocuments(text, { strict: true, uniqueKeys: true }).map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS() as Manifest;
    }),
  );
}

const manifests = await readManifests();

function find(kind: string, name: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

const workloads: readonly (readonly [Role, Manifest])[] = [
  ["edge", find("Deployment", "edge")],
  ["room", find("StatefulSet", "room")],
];

/** What a container sees, with secrets of our own. */
function environment(data: Manifest["data"], container: Container | undefined): Record<string, string> {
  const secret = "a-secret-of-more-than-thirty-two-bytes";
  const env: Record<string, string> = { ...data };
  for (const { name, value } of container?.env ?? []) env[name] = value ?? secret;
  if (env.RPC_TOKENS !== undefined) env.RPC_TOKENS = `edge:edge:${secret}`;
  if (env.EDGE_ID !== undefined) env.EDGE_ID = "edge-6f7c9d7b8-x2x4q";
  return env;
}

describe("Kubernetes manifests", () => {
  it("are of known kinds, each named once", () => {
    const names = manifests.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.sort()).toEqual([
      "apps/v1 Deployment edge",
      "apps/v1 StatefulSet room",
      "autoscaling/v2 HorizontalPodAutoscaler edge",
      "networking.k8s.io/v1 NetworkPolicy edge",
      "networking.k8s.io/v1 NetworkPolicy room",
      "policy/v1 PodDisruptionBudget edge",
      "policy/v1 PodDisruptionBudget room",
      "v1 ConfigMap baccarat",
      "v1 Service edge",
      "v1 Service room",
      "v1 Service room-rpc",
    ]);
  });

  it.each(workloads)("give role %s an environment that it accepts", (role, { spec }) => {
    const [container] = spec.template.spec.containers;
    expect(container?.args).toEqual([`--role=${role}`]);
    const env = environment(find("ConfigMap", "baccarat").data, container);
    expect(Object.keys(env).filter((name) => !BY_NAME.has(name))).toEqual([]);
    const parsed = parseConfig(env as Environment, role);
    expect(parsed.ok ? [] : parsed.mistakes).toEqual([]);
    expect(parsed.ok && parsed.config.natsMinClusterVersion).toBe(RECOMMENDED_IN_CLUSTER);
  });

  it.each(workloads)("accept role %s with TLS as the README has it", async (role, { spec }) => {
    using files = await makeCertificates();
    const { INSECURE_NATS, INSECURE_RPC, ...data } = find("ConfigMap", "baccarat").data ?? {};
    expect([INSECURE_NATS, INSECURE_RPC]).not.toContain(undefined);
    const env: Record<string, string> = {
      ...environment(data, spec.template.spec.containers[0]),
      NATS_URL: data.NATS_URL?.replaceAll("nats://", "tls://") ?? "",
      ROOM_SERVICE_URL: data.ROOM_SERVICE_URL?.replaceAll("http://", "https://") ?? "",
      NATS_TLS_CA: files.ca,
    };
    if (role === "edge") env.ROOM_SERVICE_CA_FILE = files.ca;
    else Object.assign(env, { RPC_TLS_CERT_FILE: files.server.cert, RPC_TLS_KEY_FILE: files.server.key });
    const parsed = parseConfig(env, role);
    expect(parsed.ok ? [] : parsed.mistakes).toEqual([]);
  });

  it.each(workloads)("ask role %s at ports and paths it has, and let nobody be root", (_role, { spec }) => {
    const pod = spec.template.spec;
    expect(pod.enableServiceLinks).toBe(false);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true });
    const [container] = pod.containers;
    expect(container?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container?.ports.find(({ name }) => name === "ops")?.containerPort).toBe(9090);
    expect(container?.startupProbe.httpGet).toEqual({ path: "/startupz", port: "ops" });
    expect(container?.livenessProbe.httpGet).toEqual({ path: "/livez", port: "ops" });
    expect(container?.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "ops" });
    expect(spec.template.metadata.labels).toMatchObject(spec.selector?.matchLabels ?? { missing: true });
  });

  it.each(workloads)("leave role %s the time it takes to stop", (_role, { spec }) => {
    const pod = spec.template.spec;
    const [container] = pod.containers;
    const preStop = Number(container?.lifecycle.preStop.exec.command[1]);
    const drain = Number(container?.env.find(({ name }) => name === "DRAIN_SECONDS")?.value ?? 0);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(preStop + drain + STOP_SECONDS);
  });

  it("point at each other by names that exist", () => {
    const hpa = find("HorizontalPodAutoscaler", "edge").spec;
    expect(find(hpa.scaleTargetRef?.kind ?? "", hpa.scaleTargetRef?.name ?? "")).toBeDefined();
    expect(hpa.metrics?.map(({ pods }) => pods.metric.name)).toEqual(["baccarat_connections"]);
    for (const kind of ["NetworkPolicy", "PodDisruptionBudget"]) {
      for (const [role, workload] of workloads) {
        const { spec } = find(kind, role);
        const selected = spec.podSelector?.matchLabels ?? spec.selector?.matchLabels ?? { missing: true };
        expect(workload.spec.template.metadata.labels).toMatchObject(selected);
      }
    }
  });
});
