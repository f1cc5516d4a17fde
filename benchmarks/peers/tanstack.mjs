// TanStack DB: local-only collections, live query collections, the indexes that its warnings ask
// for. Rows are loaded with `initialData`, its fast way in.
import {
  BasicIndex,
  BTreeIndex,
  count,
  createCollection,
  createLiveQueryCollection,
  eq,
  localOnlyCollectionOptions,
  lt,
  sum,
  toArray,
} from '@tanstack/db';
import { byNumber, cells, COLUMNS, objects, asObject, panel } from './shapes.mjs';

export const packages = ['@tanstack/db'];

const ORDERED = new Set(['id', 'created', 'created_at', 'rank']);

export async function open(document) {
  const collections = {};
  const views = [];
  const pending = [];

  const queries = {
    sorted_all: () => (q) =>
      q.from({ item: collections.item }).orderBy(({ item }) => item.rank, 'asc'),
    sorted_top50: () => (q) =>
      q.from({ item: collections.item }).orderBy(({ item }) => item.rank, 'asc').limit(50),
    issues_list: () => list,
    issues_page2: () => (q) => list(q).offset(50),
    issues_author: () => (q) =>
      list(q).select(({ issue }) => ({
        id: issue.id,
        title: issue.title,
        author: toArray(
          q
            .from({ user: collections.user })
            .where(({ user }) => eq(user.id, issue.creator_id))
            .select(({ user }) => ({ name: user.name })),
        ),
      })),
    issues_count: () => (q) => {
      const top = list(q);
      return q
        .from({ issue: top })
        .join({ comment: collections.comment }, ({ issue, comment }) => eq(issue.id, comment.issue_id), 'left')
        .groupBy(({ issue }) => [issue.id, issue.title, issue.created])
        .select(({ issue, comment }) => ({
          id: issue.id,
          title: issue.title,
          created: issue.created,
          comments: count(comment.id),
        }));
    },
    issues_comments: () => (q) =>
      list(q).select(({ issue }) => ({
        id: issue.id,
        title: issue.title,
        comments: toArray(
          q
            .from({ comment: collections.comment })
            .where(({ comment }) => eq(comment.issue_id, issue.id))
            .orderBy(({ comment }) => comment.id, 'desc')
            .limit(3)
            .select(({ comment }) => ({ id: comment.id, body: comment.body })),
        ),
      })),
    issue_detail: ([id]) => (q) =>
      q
        .from({ issue: collections.issue })
        .where(({ issue }) => eq(issue.id, id))
        .select(({ issue }) => ({
          id: issue.id,
          title: issue.title,
          comments: toArray(
            q
              .from({ comment: collections.comment })
              .where(({ comment }) => eq(comment.issue_id, issue.id))
              .orderBy(({ comment }) => comment.id, 'asc')
              .select(({ comment }) => ({ id: comment.id, body: comment.body })),
          ),
        })),
    item_by_id: ([id]) => (q) =>
      q.from({ item: collections.item }).where(({ item }) => eq(item.id, id)),
    items_of_owner: ([owner]) => (q) =>
      q
        .from({ item: collections.item })
        .where(({ item }) => eq(item.owner, owner))
        .select(({ item }) => ({ id: item.id, value: item.value })),
    wide_ab: () => (q) =>
      q
        .from({ wide: collections.wide })
        .where(({ wide }) => lt(wide.id, 1000))
        .select(({ wide }) => ({ id: wide.id, a: wide.a, b: wide.b })),
    latest50: () => (q) =>
      q.from({ post: collections.post }).orderBy(({ post }) => post.created_at, 'desc').limit(50),
    by_field: ([value]) => (q) =>
      q
        .from({ item: collections.item })
        .where(({ item }) => eq(item.field, value))
        .select(({ item }) => ({ id: item.id, body: item.body })),
    count_items: () => (q) =>
      q.from({ item: collections.item }).select(({ item }) => ({ n: count(item.id) })),
    newest_items: () => (q) =>
      q.from({ item: collections.item }).orderBy(({ item }) => item.id, 'desc').limit(50),
  };
  const list = (q) =>
    q
      .from({ issue: collections.issue })
      .where(({ issue }) => eq(issue.open, 1))
      .orderBy(({ issue }) => issue.created, 'desc')
      .limit(50);

  const panelQuery = ({ aggregate, dimension }, [channel]) => (q) =>
    q
      .from({ sale: collections.sale })
      .where(({ sale }) => eq(sale.channel, channel))
      .groupBy(({ sale }) => sale[dimension])
      .select(({ sale }) => ({
        dimension: sale[dimension],
        n: count(sale.id),
        ...(aggregate === 'sum' ? { total: sum(sale.amount) } : {}),
      }));

  const read = {
    issues_author: (row) => [row.id, row.title, row.author[0].name],
    issues_count: (row) => [row.id, row.title, row.comments],
    issues_comments: (row) => [row.id, row.title, row.comments.map((c) => [c.id, c.body])],
    issue_detail: (row) => [row.id, row.title, row.comments.map((c) => [c.id, c.body])],
    count_items: (row) => [row.n],
  };
  const unordered = {
    issues_count: (a, b) => b.created - a.created,
    items_of_owner: byNumber('id'),
    wide_ab: byNumber('id'),
  };

  return {
    load() {
      for (const [name, table] of Object.entries(document.tables)) {
        const collection = createCollection(
          localOnlyCollectionOptions({
            id: name,
            getKey: (row) => row.id,
            initialData: objects(table),
          }),
        );
        for (const column of ['id', ...table.indexes.map(([first]) => first)])
          collection.createIndex((row) => row[column], {
            indexType: ORDERED.has(column) ? BTreeIndex : BasicIndex,
          });
        collections[name] = collection;
      }
    },
    watch(index, view, mode, emit) {
      const grouped = panel(view.name);
      const query = grouped ? panelQuery(grouped, view.args) : queries[view.name](view.args);
      const live = createLiveQueryCollection({ startSync: true, query });
      const entry = { live, view, grouped, value: null };
      live.subscribeChanges(() => {
        if (mode === 'value') entry.value = live.toArray;
        emit();
      });
      views[index] = entry;
    },
    write(changes) {
      const [[kind, table]] = changes;
      const collection = collections[table];
      if (kind === 'insert') {
        const rows = changes.map(([, , row]) => asObject(document.tables[table], row));
        pending.push(collection.insert(rows));
        return;
      }
      for (const [what, , key, values] of changes)
        pending.push(
          what === 'update'
            ? collection.update(key, (draft) => void Object.assign(draft, values))
            : collection.delete(key),
        );
    },
    // An optimistic write is confirmed in later microtasks.
    async settle() {
      while (pending.length) await pending.pop().isPersisted.promise;
    },
    rows(index) {
      const { live, view, grouped } = views[index];
      const rows = [...live.toArray];
      if (grouped)
        return rows
          .sort(byNumber('dimension'))
          .map((row) => (grouped.aggregate === 'sum' ? [row.dimension, row.n, row.total] : [row.dimension, row.n]));
      if (unordered[view.name]) rows.sort(unordered[view.name]);
      return rows.map(read[view.name] ?? ((row) => cells(row, COLUMNS[view.name])));
    },
  };
}
