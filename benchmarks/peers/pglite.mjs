// PGlite: Postgres in WASM, in memory, with its live extension: `live.query` for small results,
// `live.incrementalQuery` for large ones, `live.changes` for deltas.
import { PGlite } from '@electric-sql/pglite';
import { live } from '@electric-sql/pglite/live';
import { asObject } from './shapes.mjs';

export const packages = ['@electric-sql/pglite'];

const LARGE = new Set(['sorted_all']);
const tick = () => new Promise((resolve) => setImmediate(resolve));

// SQLite's JSON functions in Postgres' words; everything else is the same SQL.
function translate(sql) {
  let at = 0;
  return sql
    .replaceAll('sum(amount)', 'sum(amount)::bigint')
    .replaceAll('FROM user ', 'FROM "user" ')
    .replaceAll('JOIN user ', 'JOIN "user" ')
    .replaceAll(/json_group_array\(json_array\(id, body\)\)/g, "coalesce(json_agg(json_build_array(id, body)), '[]')")
    .replaceAll(/FROM \((SELECT id, body FROM comment[^)]*)\)/g, 'FROM ($1) AS recent')
    .replaceAll(/\?/g, () => `$${(at += 1)}`);
}

const quoted = (name) => `"${name}"`;

export async function open(document) {
  const db = await PGlite.create({ extensions: { live } });
  const views = [];
  let delivered = 0;

  return {
    async load() {
      for (const [name, { columns, indexes, rows }] of Object.entries(document.tables)) {
        const definition = columns.map(([column, kind], at) => `${column} ${kind === 'int' ? 'bigint' : 'text'} ${at ? 'NOT NULL' : 'PRIMARY KEY'}`);
        await db.exec(`CREATE TABLE ${quoted(name)} (${definition.join(', ')})`);
        if (rows.length) {
          const text = rows.map((row) => row.join('\t')).join('\n');
          await db.query(`COPY ${quoted(name)} FROM '/dev/blob'`, [], { blob: new Blob([text]) });
        }
        for (const index of indexes) await db.exec(`CREATE INDEX ON ${quoted(name)} (${index.join(', ')})`);
        await db.exec(`ANALYZE ${quoted(name)}`);
      }
    },
    async watch(index, view, mode, emit) {
      const entry = { value: null, sql: translate(view.sql), args: view.args };
      views[index] = entry;
      const callback = (result) => {
        entry.value = result;
        delivered += 1;
        emit();
      };
      const options = { query: entry.sql, params: view.args, callback };
      if (mode === 'delta') await db.live.changes({ ...options, key: 'id' });
      else if (LARGE.has(view.name)) await db.live.incrementalQuery({ ...options, key: 'id' });
      else await db.live.query(options);
    },
    async write(changes) {
      const run = async (on, [kind, name, what, values]) => {
        if (kind === 'insert') {
          const row = asObject(document.tables[name], what);
          const marks = Object.keys(row).map((_, at) => `$${at + 1}`);
          await on.query(`INSERT INTO ${quoted(name)} VALUES (${marks.join(', ')})`, Object.values(row));
        } else if (kind === 'update') {
          const sets = Object.keys(values).map((column, at) => `${column} = $${at + 2}`);
          await on.query(`UPDATE ${quoted(name)} SET ${sets.join(', ')} WHERE id = $1`, [what, ...Object.values(values)]);
        } else await on.query(`DELETE FROM ${quoted(name)} WHERE id = $1`, [what]);
      };
      if (changes.length === 1) await run(db, changes[0]);
      else if (changes.every(([kind]) => kind === 'insert')) {
        const name = changes[0][1];
        const text = changes.map(([, , row]) => row.join('\t')).join('\n');
        await db.query(`COPY ${quoted(name)} FROM '/dev/blob'`, [], { blob: new Blob([text]) });
      } else
        await db.transaction(async (tx) => {
          for (const change of changes) await run(tx, change);
        });
    },
    // Its triggers announce the table; the refreshes that follow are queued behind one another.
    async settle() {
      let before;
      do {
        before = delivered;
        await db.query('SELECT 1');
        for (let at = 0; at < 3; at += 1) await tick();
        await db.query('SELECT 1');
      } while (delivered !== before);
    },
    async rows(index) {
      const { value, sql, args } = views[index];
      const rows = Array.isArray(value) ? (await db.query(sql, args)).rows : value.rows;
      return rows.map((row) => Object.values(row).map((cell) => (typeof cell === 'bigint' ? Number(cell) : cell)));
    },
    close: () => db.close(),
  };
}
