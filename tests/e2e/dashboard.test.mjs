// The dashboard and the alerting rules, asked of a real Prometheus that scrapes the real binary.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Polled } from './polling.mjs';
import { Postgres } from './postgres.mjs';
import { Prometheus } from './prometheus.mjs';
import { WEBHOOK_SECRET, userEvent } from './service.mjs';
import { until } from './simulator.mjs';

const file = fileURLToPath(new URL('../../deploy/grafana/rollcall.json', import.meta.url));
const dashboard = JSON.parse(readFileSync(file, 'utf8'));
const panels = dashboard.panels.filter((panel) => panel.type !== 'row');

let postgres, polled, service, prometheus, page;
before(async () => {
  postgres = await Postgres.start();
  polled = await Polled.start(postgres, 30);
  service = await polled.serve({
    ROLLCALL_MODE: 'hybrid',
    CLERK_WEBHOOK_SECRET: WEBHOOK_SECRET,
    ROLLCALL_SYNC_INTERVAL: '1s',
  });
  prometheus = await Prometheus.start(service);
  let deliveries = 0;
  await until(
    async () => {
      const id = `user_dashboard${(deliveries += 1)}`;
      const answer = await service.deliver(userEvent('user.created', id, Date.now()));
      assert.equal(answer.status, 202);
      const applied = await prometheus.query('rate(rollcall_job_end_to_end_seconds_count[1h]) > 0');
      const passes = await prometheus.query('rate(rollcall_sync_duration_seconds_count[1h]) > 0');
      return applied.length > 0 && passes.length > 0;
    },
    'changes and passes in Prometheus',
    60_000,
  );
  page = parse(await service.metrics());
});
after(async () => {
  await prometheus?.stop();
  await polled?.stop();
  postgres?.remove();
});

// Of a page of metrics: name -> label -> the values it has.
function parse(text) {
  const found = new Map([['up', new Map([['job', new Set(['rollcall'])]])]]);
  for (const [, name, labels = ''] of text.matchAll(/^([a-z_]+)(?:\{(.*)\})? \S+$/gm)) {
    if (!found.has(name)) found.set(name, new Map([['job', new Set(['rollcall'])]]));
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      const values = found.get(name).get(label) ?? new Set();
      found.get(name).set(label, values.add(value));
    }
  }
  return found;
}

// What is not there until it has happened.
const as_it_comes = new Set(['code', 'sqlstate_class', 'instance']);

// Every metric of an expression is exposed, with those labels and values.
function check(expression) {
  const selector = /\b((?:rollcall|process)_[a-z_]+|up\b)(?:\{(.*?)\})?/g;
  const selectors = [...expression.matchAll(selector)];
  assert.ok(selectors.length > 0, expression);
  for (const [, name, matchers = ''] of selectors) {
    assert.ok(page.has(name), `${name} is not exposed: ${expression}`);
    for (const [, label, sign, value] of matchers.matchAll(/(\w+)(=~|!=|!~|=)"([^"]*)"/g)) {
      if (as_it_comes.has(label)) continue;
      const values = page.get(name).get(label);
      assert.ok(values, `${name} has no label ${label}: ${expression}`);
      for (const one of sign.endsWith('~') ? value.split('|') : [value]) {
        if (one === '.*') continue;
        assert.ok(values.has(one), `${name} never has ${label}="${one}": ${expression}`);
      }
    }
  }
}

// What Grafana puts in.
const filled = (expression) =>
  expression.replaceAll('$__rate_interval', '1h').replaceAll(/\$(instance|queue)/g, '.*');

test('every query of the dashboard gives an answer', async () => {
  const expressions = panels.flatMap((panel) => panel.targets.map((target) => target.expr));
  assert.ok(expressions.length > 50);
  for (const expression of expressions.map(filled)) {
    assert.doesNotMatch(expression, /\$/, 'a variable that is not filled in');
    check(expression);
    await prometheus.answer(expression);
  }
});

test('every legend names labels that its query has', async () => {
  for (const { expr, legendFormat } of panels.flatMap((panel) => panel.targets)) {
    const [{ metric }] = await prometheus.answer(filled(expr));
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      assert.ok(label in metric, `${label} of ${expr}`);
    }
  }
});

test('variables list what there is', async () => {
  const variables = dashboard.templating.list.filter((variable) => variable.type === 'query');
  for (const { definition, query } of variables) {
    assert.equal(query.query, definition);
    const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition);
    const [{ metric: labels }] = await prometheus.answer(metric);
    assert.ok(labels[label], definition);
  }
});

test('Prometheus loads every alerting rule, and its metrics are there', async () => {
  const loaded = await until(
    async () => {
      const { groups } = await prometheus.get('rules');
      const rules = groups.flatMap((group) => group.rules);
      return rules.every((rule) => rule.health !== 'unknown') && rules;
    },
    'all rules to be evaluated',
    60_000,
  );
  assert.ok(loaded.length > 20);
  const names = loaded.map((rule) => rule.name);
  assert.equal(new Set(names).size, names.length, 'each rule once');
  for (const rule of loaded) {
    assert.equal(rule.health, 'ok', `${rule.name}: ${rule.lastError}`);
    check(rule.query);
    const { runbook_url } = rule.annotations;
    const [, document, anchor] = /^(docs\/[a-z]+\.md)(?:#(.*))?$/.exec(runbook_url);
    const text = readFileSync(new URL(`../../${document}`, import.meta.url), 'utf8');
    const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-'),
    );
    if (anchor) assert.ok(anchors.includes(anchor), `${rule.name}: ${runbook_url}`);
  }
});

// Grafana itself is not to be had here: what its importer would stumble over.
test('Grafana can read the file', () => {
  assert.equal(dashboard.schemaVersion, 39);
  assert.equal(dashboard.id, null);
  assert.equal(dashboard.uid, 'rollcall');
  const ids = dashboard.panels.map((panel) => panel.id);
  assert.equal(new Set(ids).size, ids.length, 'ids are unique');
  const taken = new Set();
  for (const { title, gridPos } of dashboard.panels) {
    assert.ok(gridPos.x >= 0 && gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!taken.has(`${x},${y}`), `${title} lies on another`);
        taken.add(`${x},${y}`);
      }
    }
  }
  const [source] = dashboard.templating.list;
  assert.deepEqual(
    [source.name, source.type, source.query],
    ['datasource', 'datasource', 'prometheus'],
  );
  for (const { title, datasource, targets } of panels) {
    const refs = targets.map((target) => target.refId);
    assert.equal(new Set(refs).size, refs.length, title);
    for (const one of [datasource, ...targets.map((target) => target.datasource)]) {
      assert.deepEqual(one, { type: 'prometheus', uid: '${datasource}' }, title);
    }
  }
});
