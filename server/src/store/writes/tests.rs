//! The texts of statements, and what becomes of rows that are written twice.

use super::pen::*;
use super::*;

#[test]
fn statements_have_the_placeholders_of_their_database() {
    let places = |numbered| Places { numbered, next: 0 };
    assert_eq!(
        values_sql("insert into t (a, b)", 2, 2, places(true), ""),
        "insert into t (a, b) values ($1, $2), ($3, $4)"
    );
    assert_eq!(
        values_sql(
            "insert into t (a, b)",
            2,
            2,
            places(false),
            "on conflict do nothing"
        ),
        "insert into t (a, b) values (?, ?), (?, ?) on conflict do nothing"
    );
    let update =
        "update t set revision = revision + 1, body = $5, one = $6, two = $7 where id = $3";
    assert_eq!(
        update_sql(update, 0b10, &[Kind::Number], 1, places(false)),
        "with changed (w_id, w_read, w_revision, w_body, w_0) as (values (?, ?, ?, ?, ?)), \
         found as materialized (select own.rowid as w_row, changed.* from changed cross join t as own \
         where own.merchant = ? and own.livemode = ? and own.id = changed.w_id \
         and own.revision = changed.w_read) update or fail t set revision = found.w_revision, \
         body = found.w_body, two = found.w_0 from found where t.rowid = found.w_row"
    );
    assert_eq!(
        update_sql(update, 0b10, &[Kind::Number], 1, places(true)),
        "with changed (w_id, w_read, w_revision, w_body, w_0) as (values (cast($1 as text), \
         cast($2 as bigint), cast($3 as bigint), cast($4 as text), cast($5 as bigint))) update t set \
         revision = changed.w_revision, body = changed.w_body, two = changed.w_0 from changed \
         where merchant = $6 and livemode = $7 and id = changed.w_id and revision = changed.w_read"
    );
    assert!(update_sql(update, 0, &[], 1, places(true)).contains("cast($4 as text)"));
}

#[test]
fn rows_are_cut_into_few_sizes() {
    let sizes = |rows: usize| {
        let portions = portions((0..rows).collect());
        assert_eq!(portions.iter().flatten().count(), rows);
        portions.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(sizes(0), Vec::<usize>::new());
    assert_eq!(sizes(5), [4, 1]);
    assert_eq!(sizes(150), [64, 64, 16, 4, 2]);
}

#[test]
fn only_changed_columns_are_in_a_mask() {
    let one = [
        Column::text("a"),
        Column::Number(Some(1)),
        Column::Number(None),
    ];
    let other = [
        Column::text("a"),
        Column::Number(Some(2)),
        Column::Number(None),
    ];
    assert_eq!(mask(&one, &other), 0b10);
    assert_eq!(mask(&one, &one), 0);
}
