// RxDB: collections in its memory storage, observed with `$`.
import { createRxDatabase } from 'rxdb';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { asObject, byNumber, cells, COLUMNS, objects } from './shapes.mjs';

export const packages = ['rxdb'];

const JOINED = 'no joins: a query reads one collection';

export function unsupported(view, mode) {
  if (mode === 'delta') return 'an observed query delivers whole results, no deltas';
  if (view.name.startsWith('panel_')) return 'no GROUP BY';
  if (['issues_author', 'issues_count', 'issues_comments', 'issue_detail'].includes(view.name)) return JOINED;
  return undefined;
}

// A primary key must be a string, an indexed number must have bounds.
function schema({ columns, indexes }) {
  const indexed = new Set([...indexes.flat(), 'open']);
  const properties = { key: { type: 'string', maxLength: 12 } };
  for (const [name, kind] of columns) {
    properties[name] = { type: kind === 'int' ? 'number' : 'string' };
    if (indexed.has(name) && kind === 'int')
      Object.assign(properties[name], { minimum: -1, maximum: 1e12, multipleOf: 1 });
  }
  return {
    version: 0,
    primaryKey: 'key',
    type: 'object',
    properties,
    required: ['key', ...columns.map(([name]) => name)],
    // its planner wants one index for the selector and the sort together
    indexes: properties.open ? [...indexes, ['open', 'created']] : indexes,
  };
}

const tick = () => new Promise((resolve) => setImmediate(resolve));

export async function open(document) {
  const database = await createRxDatabase({ name: 'benchmark', storage: getRxStorageMemory(), multiInstance: false, eventReduce: true });
  const views = [];
  let delivered = 0;

  const finds = {
    sorted_all: () => [database.item, { sort: [{ rank: 'asc' }] }],
    sorted_top50: () => [database.item, { sort: [{ rank: 'asc' }], limit: 50 }],
    issues_list: () => [database.issue, { selector: { open: 1 }, sort: [{ created: 'desc' }], limit: 50 }],
    issues_page2: () => [database.issue, { selector: { open: 1 }, sort: [{ created: 'desc' }], skip: 50, limit: 50 }],
    item_by_id: ([id]) => [database.item, { selector: { key: String(id) } }],
    items_of_owner: ([owner]) => [database.item, { selector: { owner } }],
    wide_ab: () => [database.wide, { selector: { id: { $lt: 1000 } } }],
    latest50: () => [database.post, { sort: [{ created_at: 'desc' }], limit: 50 }],
    by_field: ([field]) => [database.item, { selector: { field } }],
    newest_items: () => [database.item, { sort: [{ id: 'desc' }], limit: 50 }],
  };

  return {
    async load() {
      const schemas = {};
      for (const [name, table] of Object.entries(document.tables)) schemas[name] = { schema: schema(table) };
      await database.addCollections(schemas);
      for (const [name, table] of Object.entries(document.tables)) {
        const rows = objects(table).map((row) => ({ key: String(row.id), ...row }));
        for (let at = 0; at < rows.length; at += 10_000)
          await database[name].bulkInsert(rows.slice(at, at + 10_000));
      }
    },
    async watch(index, view, _mode, emit) {
      const entry = { view, value: null };
      let first;
      const opened = new Promise((resolve) => (first = resolve));
      const query =
        view.name === 'count_items'
          ? database.item.count()
          : (([collection, find]) => collection.find(find))(finds[view.name](view.args));
      query.$.subscribe((value) => {
        entry.value = value;
        delivered += 1;
        first();
        emit();
      });
      views[index] = entry;
      await opened;
    },
    async write(changes) {
      const [[kind, name]] = changes;
      if (kind === 'insert') {
        await database[name].bulkInsert(
          changes.map(([, , row]) => ({ key: String(row[0]), ...asObject(document.tables[name], row) })),
        );
        return;
      }
      for (const [what, , key, values] of changes) {
        const found = await database[name].findOne(String(key)).exec();
        if (what === 'update') await found.patch(values);
        else await found.remove();
      }
    },
    async settle() {
      let before;
      do {
        before = delivered;
        for (let at = 0; at < 3; at += 1) await tick();
      } while (delivered !== before);
    },
    rows(index) {
      const { view, value } = views[index];
      if (view.name === 'count_items') return [[value]];
      const rows = [...value];
      if (['items_of_owner', 'wide_ab'].includes(view.name)) rows.sort(byNumber('id'));
      return rows.map((row) => cells(row, COLUMNS[view.name]));
    },
    close: () => database.close(),
  };
}
