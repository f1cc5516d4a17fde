// Rindle: its in-process WASM store and materialised views.
import { createSchema, createWasmStore, lt, number, string, table } from '@rindle/wasm';
import { asObject, byNumber, cells, COLUMNS, objects, panel } from './shapes.mjs';

export const packages = ['@rindle/wasm'];

export function unsupported(view) {
  if (panel(view.name)?.aggregate === 'sum') return 'aggregates are count only, no SUM';
  return undefined;
}

export async function open(document) {
  const tables = {};
  for (const [name, { columns }] of Object.entries(document.tables))
    tables[name] = table(name)
      .columns(Object.fromEntries(columns.map(([column, kind]) => [column, kind === 'int' ? number() : string()])))
      .primaryKey('id');
  const store = await createWasmStore(createSchema({ tables: Object.values(tables) }));
  const current = {}; // a write must name the whole old row
  const views = [];
  const q = store.query;

  const list = () => q.issue.where.open(1).orderBy('created', 'desc').limit(50);
  const COMMENTS = { parent: ['id'], child: ['issue_id'] };
  const queries = {
    sorted_all: () => q.item.orderBy('rank', 'asc'),
    sorted_top50: () => q.item.orderBy('rank', 'asc').limit(50),
    issues_list: list,
    // its paging is by cursor, not by offset: start behind the 50th (a cursor without the key would
    // still let the 50th in)
    issues_page2: () => {
      const shown = document.tables.issue.rows.filter((row) => row[2] === 1);
      return q.issue.where
        .open(1)
        .orderBy('created', 'desc')
        .start({ created: shown[49][3], id: shown[49][0] }, { exclusive: true })
        .limit(50);
    },
    issues_author: () => list().sub('author', tables.user, { parent: ['creator_id'], child: ['id'] }),
    issues_count: () => list().countAs('comments', tables.comment, COMMENTS),
    issues_comments: () =>
      list().sub('comments', tables.comment, COMMENTS, (c) => c.orderBy('id', 'desc').limit(3)),
    issue_detail: ([id]) =>
      q.issue.where.id(id).limit(1).sub('comments', tables.comment, COMMENTS, (c) => c.orderBy('id', 'asc')),
    item_by_id: ([id]) => q.item.where.id(id),
    items_of_owner: ([owner]) => q.item.where.owner(owner).select('id', 'value').orderBy('id', 'asc'),
    wide_ab: () => q.wide.where.id(lt(1000)).select('id', 'a', 'b').orderBy('id', 'asc'),
    latest50: () => q.post.orderBy('created_at', 'desc').limit(50),
    by_field: ([value]) => q.item.where.field(value).select('id', 'body'),
    count_items: () => q.item.count(),
    newest_items: () => q.item.orderBy('id', 'desc').limit(50),
  };
  const pairs = (rows) => rows.map((row) => [row.id, row.body]);
  const read = {
    issues_author: (row) => [row.id, row.title, row.author[0].name],
    issues_count: (row) => [row.id, row.title, row.comments],
    issues_comments: (row) => [row.id, row.title, pairs(row.comments)],
    issue_detail: (row) => [row.id, row.title, pairs(row.comments)],
    count_items: (row) => [row.count],
  };

  return {
    async load() {
      for (const [name, definition] of Object.entries(document.tables)) {
        const rows = objects(definition);
        current[name] = new Map(rows.map((row) => [row.id, row]));
        await store.write((tx) => {
          for (const row of rows) tx.add(name, row);
        });
      }
    },
    watch(index, view, mode, emit) {
      const grouped = panel(view.name);
      const query = grouped
        ? q.sale.where.channel(view.args[0]).groupBy(grouped.dimension).count()
        : queries[view.name](view.args);
      const entry = { view, grouped, value: null };
      entry.live = query.materialize();
      if (mode === 'delta') entry.live.onChanges(emit);
      else
        entry.live.subscribe((data) => {
          entry.value = data;
          emit();
        });
      views[index] = entry;
    },
    write(changes) {
      return store.write((tx) => {
        for (const [kind, name, what, values] of changes) {
          const rows = current[name];
          if (kind === 'insert') {
            const row = asObject(document.tables[name], what);
            rows.set(row.id, row);
            tx.add(name, row);
          } else if (kind === 'update') {
            const old = rows.get(what);
            const row = { ...old, ...values };
            rows.set(what, row);
            tx.edit(name, old, row);
          } else {
            tx.remove(name, rows.get(what));
            rows.delete(what);
          }
        }
      });
    },
    rows(index) {
      const { live, view, grouped } = views[index];
      if (grouped)
        return [...live.data]
          .sort(byNumber(grouped.dimension))
          .map((row) => [row[grouped.dimension], row.count]);
      return live.data.map(read[view.name] ?? ((row) => cells(row, COLUMNS[view.name])));
    },
  };
}
