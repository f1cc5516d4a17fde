// TinyBase: a Store with Queries. A windowed view is a sorted page of a result table; it counts as
// delivered once per transaction that changed the page's order or one of its rows.
import { createQueries, createRelationships, createStore } from 'tinybase';
import { asObject, byNumber, cells, COLUMNS, objects, panel } from './shapes.mjs';

export const packages = ['tinybase'];

export function unsupported(view, mode) {
  if (mode === 'delta') return 'a query delivers cell by cell or as a whole, no row deltas';
  if (view.name === 'issues_count' || view.name === 'issues_comments')
    return 'joins lead from child to parent only: no count or list of children per row';
  return undefined;
}

const SORTED = {
  sorted_all: ['rank', false, 0, undefined],
  sorted_top50: ['rank', false, 0, 50],
  issues_list: ['created', true, 0, 50],
  issues_author: ['created', true, 0, 50],
  issues_page2: ['created', true, 50, 50],
  latest50: ['created_at', true, 0, 50],
  newest_items: ['id', true, 0, 50],
};

export async function open(document) {
  const store = createStore();
  const queries = createQueries(store);
  const relationships = createRelationships(store);
  const views = [];
  const dirty = new Set();

  const all = (table, columns) => (k) => columns.forEach((column) => k.select(column));
  const definitions = {
    sorted_all: () => ['item', all('item', COLUMNS.sorted_all)],
    sorted_top50: () => ['item', all('item', COLUMNS.sorted_top50)],
    issues_list: () => ['issue', openIssues],
    issues_page2: () => ['issue', openIssues],
    issues_author: () => [
      'issue',
      (k) => {
        openIssues(k);
        k.join('user', 'creator_id');
        k.select('user', 'name').as('author');
      },
    ],
    item_by_id: ([id]) => ['item', where(COLUMNS.item_by_id, 'id', id)],
    items_of_owner: ([owner]) => ['item', where(COLUMNS.items_of_owner, 'owner', owner)],
    wide_ab: () => [
      'wide',
      (k) => {
        COLUMNS.wide_ab.forEach((column) => k.select(column));
        k.where((cell) => cell('id') < 1000);
      },
    ],
    latest50: () => ['post', all('post', COLUMNS.latest50)],
    by_field: ([value]) => ['item', where(COLUMNS.by_field, 'field', value)],
    newest_items: () => ['item', all('item', COLUMNS.newest_items)],
  };
  const openIssues = (k) => {
    ['id', 'title', 'created'].forEach((column) => k.select(column));
    k.where('open', 1);
  };
  const where = (columns, column, value) => (k) => {
    columns.forEach((name) => k.select(name));
    k.where(column, value);
  };

  const page = (entry) =>
    queries
      .getResultSortedRowIds(entry.id, ...entry.sorted)
      .map((rowId) => queries.getResultRow(entry.id, rowId));
  const rowsOf = (entry) => {
    if (entry.view.name === 'count_items') return [[store.getRowCount('item')]];
    if (entry.view.name === 'issue_detail') {
      const id = String(entry.view.args[0]);
      const comments = relationships
        .getLocalRowIds('comments', id)
        .map((rowId) => store.getRow('comment', rowId))
        .sort(byNumber('id'));
      const issue = store.getRow('issue', id);
      return [[issue.id, issue.title, comments.map((c) => [c.id, c.body])]];
    }
    if (entry.grouped) {
      const { aggregate, dimension } = entry.grouped;
      return Object.values(queries.getResultTable(entry.id))
        .sort(byNumber(dimension))
        .map((row) => (aggregate === 'sum' ? [row[dimension], row.n, row.total] : [row[dimension], row.n]));
    }
    if (entry.sorted) {
      const columns = entry.view.name === 'issues_author' ? ['id', 'title', 'author'] : COLUMNS[entry.view.name];
      return page(entry).map((row) => cells(row, columns));
    }
    return Object.values(queries.getResultTable(entry.id))
      .sort(byNumber('id'))
      .map((row) => cells(row, COLUMNS[entry.view.name]));
  };

  return {
    load() {
      store.transaction(() => {
        for (const [name, table] of Object.entries(document.tables))
          store.setTable(name, Object.fromEntries(objects(table).map((row) => [row.id, row])));
      });
    },
    watch(index, view, mode, emit) {
      const entry = { id: `view${index}`, view, grouped: panel(view.name), sorted: SORTED[view.name], value: null };
      views[index] = entry;
      const touched = () => dirty.add(entry);
      entry.deliver = () => {
        if (entry.sorted) entry.value = page(entry);
        else if (view.name === 'count_items') entry.value = store.getRowCount('item');
        else if (view.name === 'issue_detail') entry.value = rowsOf(entry);
        else entry.value = queries.getResultTable(entry.id);
        emit();
      };
      if (view.name === 'count_items') {
        store.addRowCountListener('item', touched);
      } else if (view.name === 'issue_detail') {
        relationships.setRelationshipDefinition('comments', 'comment', 'issue', 'issue_id');
        relationships.addLocalRowIdsListener('comments', String(view.args[0]), touched);
        store.addRowListener('issue', String(view.args[0]), touched);
      } else if (entry.grouped) {
        const { aggregate, dimension } = entry.grouped;
        queries.setQueryDefinition(entry.id, 'sale', (k) => {
          k.select(dimension);
          k.select('amount');
          k.where('channel', view.args[0]);
          k.group('amount', 'count').as('n');
          if (aggregate === 'sum') k.group('amount', 'sum').as('total');
        });
        queries.addResultTableListener(entry.id, touched);
      } else {
        queries.setQueryDefinition(entry.id, ...definitions[view.name](view.args));
        if (entry.sorted) {
          let shown = new Set(queries.getResultSortedRowIds(entry.id, ...entry.sorted));
          queries.addResultSortedRowIdsListener(
            entry.id,
            ...entry.sorted,
            (_queries, _id, _cell, _descending, _offset, _limit, ids) => {
              shown = entry.sorted[3] ? new Set(ids) : shown;
              touched();
            },
          );
          if (entry.sorted[3])
            queries.addResultRowListener(entry.id, null, (_queries, _id, rowId) => {
              if (shown.has(rowId)) touched();
            });
        } else {
          queries.addResultTableListener(entry.id, touched);
        }
      }
    },
    write(changes) {
      store.transaction(() => {
        for (const [kind, name, what, values] of changes) {
          if (kind === 'insert') store.setRow(name, String(what[0]), asObject(document.tables[name], what));
          else if (kind === 'update') store.setPartialRow(name, String(what), values);
          else store.delRow(name, String(what));
        }
      });
      for (const entry of dirty) entry.deliver();
      dirty.clear();
    },
    rows: (index) => rowsOf(views[index]),
  };
}
