// What the views deliver, as rows of cells in the order of their SELECT lists: the form in which
// the results of all engines are compared.

export const COLUMNS = {
  sorted_all: ['id', 'rank', 'name'],
  sorted_top50: ['id', 'rank', 'name'],
  issues_list: ['id', 'title', 'created'],
  issues_page2: ['id', 'title', 'created'],
  item_by_id: ['id', 'body', 'updated_at'],
  items_of_owner: ['id', 'value'],
  wide_ab: ['id', 'a', 'b'],
  latest50: ['id', 'author_id', 'created_at', 'body', 'like_count'],
  by_field: ['id', 'body'],
  newest_items: ['id', 'external', 'payload'],
};

// panel_sum_region -> { aggregate: 'sum', dimension: 'region' }
export function panel(name) {
  const found = /^panel_(sum|count)_(.+)$/.exec(name);
  return found && { aggregate: found[1], dimension: found[2] };
}

export const cells = (object, columns) => columns.map((column) => object[column]);
export const byNumber = (column) => (a, b) => a[column] - b[column];

// A table's rows as the objects that the peers store.
export function objects(table) {
  const names = table.columns.map(([name]) => name);
  return table.rows.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]])));
}

export function asObject(table, row) {
  return Object.fromEntries(table.columns.map(([name], at) => [name, row[at]]));
}
