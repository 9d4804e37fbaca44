//! The texts of statements, and what becomes of rows that are written twice.

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
        "with changed (w_id, w_read, w_revision, w_body, w_0) as (values (?, ?, ?, ?, ?)) update t set \
         revision = changed.w_revision, body = changed.w_body, two = changed.w_0 from changed \
         where merchant = ? and livemode = ? and id = changed.w_id and revision = changed.w_read"
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
