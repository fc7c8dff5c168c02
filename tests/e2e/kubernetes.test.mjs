// The manifests: each document is what Kubernetes takes, they fit one another, and they say what
// the binary understands.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

import { Postgres } from './postgres.mjs';
import { Service, migrate, rollcall } from './service.mjs';

const folder = fileURLToPath(new URL('../../deploy/kubernetes/', import.meta.url));

const documents = new Map(
  readdirSync(folder).map((file) => [
    file,
    parseAllDocuments(readFileSync(path.join(folder, file), 'utf8')).map((document) => {
      assert.deepEqual([...document.errors, ...document.warnings], [], file);
      return document.toJS();
    }),
  ]),
);
const all = [...documents.values()].flat();
const one = (kind, name = 'rollcall') => {
  const found = all.filter((object) => object.kind === kind && object.metadata.name === name);
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0];
};
const kustomization = documents.get('kustomization.yaml')[0];
const workloads = [one('Deployment'), one('Job', 'rollcall-migrate')];
const pods = workloads.map((workload) => workload.spec.template.spec);
const containers = pods.flatMap((pod) => pod.containers);
const settings = one('ConfigMap').data;

let temporary;
before(() => (temporary = mkdtempSync(path.join(os.tmpdir(), 'rollcall-kubernetes-'))));
after(() => rmSync(temporary, { recursive: true, force: true }));

// `value`, and in `unread` the place of each member that nobody has asked for.
function watched(value, at, unread) {
  if (typeof value !== 'object' || value === null) return value;
  const place = (key) => `${at}.${key}`;
  for (const key of Object.keys(value)) unread.add(place(key));
  const inner = new Map(
    Object.entries(value).map(([key, member]) => [key, watched(member, place(key), unread)]),
  );
  return new Proxy(value, {
    get(target, key) {
      unread.delete(place(String(key)));
      return inner.has(key) ? inner.get(key) : target[key];
    },
  });
}

// Throws where Kubernetes would refuse it. The models let members pass that they do not know, but
// they do not look at them either.
async function validate(object) {
  const { [object.kind]: Model } = await import(
    `kubernetes-models/${object.apiVersion}/${object.kind}`
  );
  const unread = new Set();
  // Not of a model made of it: that would be a copy, for which all members are read.
  Model.prototype.validate.call(watched(object, object.kind, unread));
  assert.deepEqual([...unread], [], 'members that Kubernetes does not know');
}

test('every object is of its kind', async () => {
  const objects = all.filter((object) => object !== kustomization);
  assert.ok(objects.length >= 7);
  for (const object of objects) await validate(object);
  // And what is not, is found.
  const wrong = (change) => {
    const object = structuredClone(one('Deployment'));
    change(object.spec.template.spec.containers[0]);
    return validate(object);
  };
  await assert.rejects(wrong((it) => (it.livenessProbe.periodSecond = 5)), /periodSecond/);
  await assert.rejects(wrong((it) => (it.livenessProbe.periodSeconds = '5s')), /periodSeconds/);
  await assert.rejects(wrong((it) => delete it.name), /name/);
});

test('kustomization.yaml has every file but the example', () => {
  const others = [...documents.keys()].filter(
    (file) => file !== 'kustomization.yaml' && !file.endsWith('.example.yaml'),
  );
  assert.deepEqual(kustomization.resources.toSorted(), others.sort());
  const [image] = kustomization.images;
  for (const container of containers) assert.equal(container.image, image.name);
  assert.equal(rollcall(['--version']).stdout.split(' ')[1], image.newTag);
});

test('selectors select the pods that are there', () => {
  const { labels } = one('Deployment').spec.template.metadata;
  for (const selector of [
    one('Deployment').spec.selector.matchLabels,
    one('PodDisruptionBudget').spec.selector.matchLabels,
    one('NetworkPolicy').spec.podSelector.matchLabels,
    one('Service').spec.selector,
    one('Service', 'rollcall-admin').spec.selector,
    one('Deployment').spec.template.spec.topologySpreadConstraints[0].labelSelector.matchLabels,
  ]) {
    assert.deepEqual(selector, labels);
  }
  const migration = one('Job', 'rollcall-migrate').spec.template.metadata.labels;
  assert.notDeepEqual(migration, labels, 'the job is not sent webhooks');
  assert.ok(one('PodDisruptionBudget').spec.minAvailable < one('Deployment').spec.replicas);
});

test('pods may do nothing that they need not', () => {
  for (const pod of pods) {
    assert.equal(pod.automountServiceAccountToken, false);
    assert.equal(pod.securityContext.runAsNonRoot, true);
    assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault');
    for (const container of pod.containers) {
      assert.deepEqual(container.securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      assert.ok(container.resources.limits.memory, 'memory is bounded');
    }
  }
});

test('the binary takes every setting and every secret under its name', () => {
  for (const [name, value] of Object.entries(one('Secret').stringData)) {
    const given =
      name === 'clerk_webhook_secret' ? `whsec_${Buffer.alloc(24).toString('base64')}` : value;
    writeFileSync(path.join(temporary, name), given);
  }
  const printed = rollcall(['--json', 'config', 'print'], {
    ...settings,
    CREDENTIALS_DIRECTORY: temporary,
  });
  assert.equal(printed.code, 0, printed.stderr);
  const sources = Object.values(JSON.parse(printed.stdout)).map(({ source }) => source);
  for (const name of Object.keys(settings)) {
    assert.ok(sources.includes(`environment ${name}`), name);
  }
  for (const name of Object.keys(one('Secret').stringData)) {
    assert.ok(sources.includes(`credential ${name}`), name);
  }
  for (const pod of pods) {
    const [volume] = pod.volumes;
    assert.equal(volume.secret.secretName, one('Secret').metadata.name);
    // Readable by the group, which is fsGroup.
    assert.equal(volume.secret.defaultMode, 0o440);
    const [{ args, env, envFrom, volumeMounts }] = pod.containers;
    assert.equal(env[0].value, volumeMounts.find((mount) => mount.name === volume.name).mountPath);
    assert.equal(envFrom[0].configMapRef.name, one('ConfigMap').metadata.name);
    assert.equal(rollcall([...args, '--help']).code, 0);
  }
});

test('the public listener is for everybody, the admin listener is not', () => {
  const { ingress, policyTypes } = one('NetworkPolicy').spec;
  assert.deepEqual(policyTypes, ['Ingress'], 'what a pod calls is not restricted');
  const from = new Map(ingress.flatMap((rule) => rule.ports.map(({ port }) => [port, rule.from])));
  const [container] = one('Deployment').spec.template.spec.containers;
  assert.deepEqual([...from.keys()], container.ports.map(({ name }) => name));
  assert.equal(from.get('http'), undefined);
  assert.ok(from.get('admin').length > 0);
  for (const { podSelector, namespaceSelector } of from.get('admin')) {
    // Without either of them it would be the whole cluster.
    assert.ok(podSelector ?? Object.keys(namespaceSelector.matchLabels).length > 0);
  }
});

test('a pod has the time that a drain takes', () => {
  const seconds = (name) => Number(/^(\d+)s$/.exec(settings[name])[1]);
  assert.ok(
    one('Deployment').spec.template.spec.terminationGracePeriodSeconds >
      seconds('ROLLCALL_SERVE_SHUTDOWN_DELAY') + seconds('ROLLCALL_SERVE_DRAIN_TIMEOUT') + 3,
  );
});

test('probes and services ask where something answers', async () => {
  const [container] = one('Deployment').spec.template.spec.containers;
  const ports = new Map(container.ports.map((port) => [port.name, port.containerPort]));
  const portOf = (name) => Number(settings[name].split(':').at(-1));
  assert.equal(ports.get('http'), portOf('ROLLCALL_LISTEN'));
  assert.equal(ports.get('admin'), portOf('ROLLCALL_ADMIN_LISTEN'));
  for (const service of [one('Service'), one('Service', 'rollcall-admin')]) {
    for (const port of service.spec.ports) assert.ok(ports.has(port.targetPort));
  }
  const { annotations } = one('Deployment').spec.template.metadata;
  assert.equal(Number(annotations['prometheus.io/port']), ports.get('admin'));

  const postgres = await Postgres.start();
  const url = postgres.url(await postgres.create());
  migrate(url);
  const service = await Service.start(url);
  try {
    const { startupProbe, livenessProbe, readinessProbe } = container;
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
      assert.equal(probe.httpGet.port, 'admin');
      assert.equal((await service.get(probe.httpGet.path, service.adminPort)).status, 200);
    }
    const metrics = await service.get(annotations['prometheus.io/path'], service.adminPort);
    assert.equal(metrics.status, 200);
  } finally {
    await service.stop();
    postgres.remove();
  }
});
