use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::harness::{batch, people, person};

/// What a row becomes, by its id; None in the model: it was deleted though it was there before.
#[derive(Clone, Debug)]
enum Step {
    /// Inserts, updates (if it is there) or does nothing.
    Set(i64, u8),
    /// Deletes a row of this transaction, or one from before.
    Delete(i64),
    /// Inserts those that are not there.
    Many(BTreeSet<i64>, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0i64..40, 0u8..4).prop_map(|(id, value)| Step::Set(id, value)),
        2 => (0i64..40).prop_map(Step::Delete),
        3 => (proptest::collection::btree_set(0i64..40, 1..8), 0u8..4)
            .prop_map(|(ids, value)| Step::Many(ids, value)),
    ]
}

/// Rows below this were there before the transaction.
const OLD_ROWS: i64 = 10;

type Model = BTreeMap<Key, RowWrite>;

fn row(id: i64, value: u8) -> (Key, RowImage) {
    person(id, Some(&value.to_string()))
}

fn old(id: i64) -> Option<RowImage> {
    (id < OLD_ROWS).then(|| row(id, 9).1)
}

/// The row as the transaction sees it.
fn seen(model: &Model, id: i64) -> Option<RowImage> {
    match model.get(&row(id, 0).0) {
        Some(write) => write.new.clone(),
        None => old(id),
    }
}

fn fold(model: &mut Model, key: Key, write: RowWrite) {
    let held = model.entry(key.clone()).or_insert_with(|| RowWrite { new: None, ..write.clone() });
    held.new = write.new;
    if held.is_nothing() {
        model.remove(&key);
    }
}

fn apply(writes: &mut RowWrites, model: &mut Model, step: &Step) {
    let mut put = |id: i64, new: Option<RowImage>| {
        let was = seen(model, id);
        if was.is_some() || new.is_some() {
            let (key, write) = (row(id, 0).0, RowWrite { old: was, new });
            writes.put(key.clone(), write.clone());
            fold(model, key, write);
        }
    };
    match step {
        Step::Set(id, value) => put(*id, Some(row(*id, *value).1)),
        Step::Delete(id) => put(*id, None),
        Step::Many(ids, value) => {
            let absent = ids.iter().filter(|id| seen(model, **id).is_none());
            // Not in key order: that is for the rows to find out.
            let absent: Vec<i64> = absent.rev().copied().collect();
            if absent.is_empty() {
                return;
            }
            let value = value.to_string();
            let values: Vec<_> = absent.iter().map(|id| (*id, Some(&*value))).collect();
            let rows = NewRows::by_primary_key(&people(), &batch(&values)).unwrap();
            assert!(!rows.repeats());
            for at in 0..rows.len() {
                assert_eq!(rows.key(at), person(absent[rows.place(at)], None).0);
                fold(model, rows.key(at), RowWrite { old: None, new: Some(rows.image(at)) });
            }
            writes.insert(Arc::new(rows));
        }
    }
}

fn check(writes: &RowWrites, model: &Model, (low, high, limit): (i64, i64, usize)) {
    assert_eq!((writes.len(), writes.is_empty()), (model.len(), model.is_empty()));
    let all: Vec<_> = writes.iter().map(|row| row.key.to_vec()).collect();
    assert_eq!(all, model.keys().map(|key| key.to_vec()).collect::<Vec<_>>());
    for (written, (_, write)) in writes.iter().zip(model) {
        assert_eq!(written.old, write.old.as_deref());
        assert_eq!(written.new, write.new.as_deref());
    }
    for id in 0..40 {
        let key = row(id, 0).0;
        assert_eq!(writes.write_of(&key).as_ref(), model.get(&key), "row {id}");
        if let Some(write) = model.get(&key) {
            assert_eq!(writes.get(&key), Some(write.new.clone()));
            assert!(writes.holds_any([&key[..]].into_iter()));
        }
    }
    let range = KeyRange {
        start: Bound::Included(row(low, 0).0.into_bytes()),
        end: Bound::Excluded(row(high, 0).0.into_bytes()),
    };
    let live = |page: Vec<(Bytes, Option<Bytes>)>| -> Vec<Bytes> {
        page.into_iter().filter(|(_, image)| image.is_some()).map(|(key, _)| key).collect()
    };
    if low < high {
        let inside = model.iter().filter(|(key, _)| range.contains(key));
        let inside: Vec<Bytes> = inside
            .filter(|(_, write)| write.new.is_some())
            .map(|(key, _)| key.as_bytes().clone())
            .collect();
        assert_eq!(live(writes.page(&range, false, 100)), inside);
        assert_eq!(live(writes.page(&range, true, 100)), inside);
        let (first, last) = (writes.page(&range, false, limit), writes.page(&range, true, limit));
        assert!(first.len() <= limit && last.len() <= limit);
        let (first, last) = (live(first), live(last));
        assert!(inside.starts_with(&first) && inside.ends_with(&last));
    }
}

proptest! {
    /// Whether rows come one by one or many at a time, the net effects are those of a map.
    #[test]
    fn rows_are_a_map(
        steps in proptest::collection::vec(step(), 1..40),
        range in (0i64..40, 0i64..40, 1usize..9),
    ) {
        let (mut writes, mut model) = (RowWrites::default(), Model::new());
        let mut before = Vec::new();
        for step in &steps {
            before.push((writes.clone(), model.clone()));
            apply(&mut writes, &mut model, step);
            check(&writes, &model, range);
        }
        // What was there before a statement is what it reads.
        for (writes, model) in &before {
            check(writes, model, range);
        }
        writes.settle();
        check(&writes, &model, range);
    }
}
