//! Reads by key through the kept blocks, and how long and how many of them are kept.

use super::find::KEPT_BLOCKS_MAX;
use crate::harness::{Kept, Stand, column, inserts, name_of, people, person};
use crate::scan::tests::{options, rows};
use crate::segment::blocks::BLOCK_ROWS;
use crate::{
    Access, Column, ColumnType, HotKind, Key, Layout, Namespace, NewRows, RelationId, ScanSpec,
    Store, WriteSet, key, row,
};
use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, ListBuilder, RecordBatch};
use arrow::array::{StringArray, StringBuilder};
use std::collections::BTreeMap;
use std::sync::Arc;

const PLENTY: usize = 64 << 20;
/// More than a block has.
const MANY: i64 = 5 * BLOCK_ROWS as i64;

async fn stand(cold_cache_bytes: usize) -> Stand {
    let (directory, kind) = (tempfile::tempdir().unwrap(), HotKind::Memory);
    let feed = Arc::new(Kept::default());
    let mut options = options(directory.path(), kind);
    options.cold_cache_bytes = cold_cache_bytes;
    options.flush.segment_bytes = 64 << 20;
    let store = Store::open(options, feed.clone()).await.unwrap();
    Stand { directory, kind, feed, store }
}

/// Bytes of kept blocks.
fn kept(at: &Stand) -> usize {
    at.store.shard.cold.segments().kept.blocks.bytes()
}

fn some_name(id: i64) -> String {
    format!("name {id:06}")
}

/// People `ids`, in the cold tier.
async fn cold_people(at: &Stand, ns: &Namespace, ids: std::ops::Range<i64>) {
    let names: Vec<_> = ids.map(|id| (id, some_name(id))).collect();
    let people_: Vec<_> = names.iter().map(|(id, name)| (*id, Some(name.as_str()))).collect();
    at.commit(inserts(ns, &people_)).await;
    ns.flush(&people()).await.unwrap();
}

/// Two segments, the later one with newer versions and tombstones, and hot rows above.
async fn history(at: &Stand, ns: &Namespace) -> BTreeMap<i64, Option<String>> {
    cold_people(at, ns, 0..MANY).await;
    let mut model: BTreeMap<_, _> = (0..MANY).map(|id| (id, Some(some_name(id)))).collect();
    for (step, text) in [(5, "second"), (901, "third")] {
        let mut writes = WriteSet::new();
        for id in (0..MANY).step_by(step) {
            let Some(old) = model.get(&id).cloned() else { continue };
            let (key, old) = person(id, old.as_deref());
            if id % 7 == 0 {
                writes.delete(ns, &people(), key, old).unwrap();
                model.remove(&id);
            } else {
                let name = format!("{text} {id}");
                let new = person(id, Some(&name)).1;
                writes.update(ns, &people(), key, old, new).unwrap();
                model.insert(id, Some(name));
            }
        }
        at.commit(writes).await;
        if text == "second" {
            ns.flush(&people()).await.unwrap();
        }
    }
    model
}

#[tokio::test]
async fn what_is_kept_reads_like_what_is_not() {
    for bytes in [0, 192 << 10, PLENTY] {
        let at = stand(bytes).await;
        let ns = at.user(1);
        let model = history(&at, &ns).await;
        let snapshot = at.store.snapshot();
        let mut by_name: Vec<_> = model.iter().map(|(id, name)| (*id, name.clone())).collect();
        by_name.sort_by(|a, b| a.1.cmp(&b.1));
        let index = |limit| ScanSpec {
            access: Access::Index(0),
            limit: Some(limit),
            ..ScanSpec::new(Vec::new())
        };
        for round in 0..2 {
            // Some columns of a block before all of them, and many blocks beside few.
            for limit in [3, 40, by_name.len()] {
                assert_eq!(rows(&ns, &snapshot, None, index(limit)).await, by_name[..limit]);
            }
            for id in (-3..MANY + 3).step_by(1 + round * 3) {
                assert_eq!(name_of(&at, &ns, id).await, model.get(&id).cloned(), "{bytes} {id}");
            }
            assert!(kept(&at) <= bytes, "{} of {bytes}", kept(&at));
        }
        assert_eq!(kept(&at) > 0, bytes > 0);
    }
}

#[tokio::test]
async fn what_is_kept_has_a_bound_for_all_users_together() {
    const BOUND: usize = 256 << 10;
    let at = stand(BOUND).await;
    for user in 1..4 {
        cold_people(&at, &at.user(user), 0..MANY).await;
    }
    for id in (0..MANY).step_by(97) {
        for user in 1..4 {
            assert_eq!(name_of(&at, &at.user(user), id).await, Some(Some(some_name(id))));
            assert!(kept(&at) <= BOUND);
        }
    }
    assert!(kept(&at) > BOUND / 2);
}

#[tokio::test]
async fn a_block_is_counted_with_what_it_takes() {
    let at = stand(PLENTY).await;
    let ns = at.user(1);
    cold_people(&at, &ns, 0..BLOCK_ROWS as i64).await;
    name_of(&at, &ns, 5).await;
    // Keys of nine bytes, LSNs and ids of eight, texts of eleven, three ends of four.
    let least = BLOCK_ROWS * (9 + 8 + 8 + 11 + 2 * 4);
    assert!((least..least + least / 8).contains(&kept(&at)), "{} of {least}", kept(&at));
}

#[tokio::test]
async fn scans_keep_nothing() {
    let at = stand(PLENTY).await;
    let ns = at.user(1);
    cold_people(&at, &ns, 0..MANY).await;
    let snapshot = at.store.snapshot();
    rows(&ns, &snapshot, None, ScanSpec::new(Vec::new())).await;
    rows(&ns, &snapshot, None, ScanSpec { limit: Some(1), ..ScanSpec::new(Vec::new()) }).await;
    cold_people(&at, &ns, MANY..2 * MANY).await;
    ns.compact(&people()).await.unwrap();
    assert_eq!(kept(&at), 0);
    assert_eq!(name_of(&at, &ns, 1).await, Some(Some(some_name(1))));
    assert!(kept(&at) > 0);
}

#[tokio::test]
async fn keys_in_many_blocks_are_a_scan() {
    let at = stand(PLENTY).await;
    let ns = at.user(1);
    let blocks = KEPT_BLOCKS_MAX as i64 + 1;
    cold_people(&at, &ns, 0..blocks * BLOCK_ROWS as i64).await;
    let snapshot = at.store.snapshot();
    let new = |ids: Vec<i64>| {
        let names = ids.iter().map(|_| None::<&str>).collect::<StringArray>();
        let ids: ArrayRef = Arc::new(Int64Array::from(ids));
        let batch = RecordBatch::try_new(people().schema(), vec![ids, Arc::new(names)]);
        NewRows::by_primary_key(&people(), &batch.unwrap()).unwrap()
    };
    let each = |blocks: i64| (0..blocks).map(|block| block * BLOCK_ROWS as i64 + 7).collect();
    let taken = new(each(blocks));
    assert!(ns.may_hold_any(&snapshot, None, &people(), &taken).await.unwrap());
    assert_eq!(kept(&at), 0);
    let taken = new(each(blocks - 1));
    assert!(ns.may_hold_any(&snapshot, None, &people(), &taken).await.unwrap());
    assert!(kept(&at) > 0);
    let free = new(vec![-1, blocks * BLOCK_ROWS as i64]);
    assert!(!ns.may_hold_any(&snapshot, None, &people(), &free).await.unwrap());
}

#[tokio::test]
async fn blocks_go_with_their_segment() {
    let at = stand(PLENTY).await;
    let ns = at.user(1);
    cold_people(&at, &ns, 0..MANY).await;
    let old = at.store.snapshot();
    cold_people(&at, &ns, MANY..2 * MANY).await;
    name_of(&at, &ns, 1).await;
    let before = kept(&at);
    ns.compact(&people()).await.unwrap();
    at.store.shard.collect_garbage().await.unwrap();
    assert_eq!(kept(&at), before);
    drop(old);
    at.store.shard.collect_garbage().await.unwrap();
    assert_eq!(kept(&at), 0);
    name_of(&at, &ns, 1).await;
    assert!(kept(&at) > 0);
    let mut writes = WriteSet::new();
    writes.truncate(&ns, &people());
    at.commit(writes).await;
    assert_eq!(name_of(&at, &ns, 1).await, None);
    assert!(!at.store.shard.collect_dropped().await.unwrap());
    assert_eq!(kept(&at), 0);
}

#[tokio::test]
async fn those_who_want_the_same_block_get_it() {
    for bytes in [0, PLENTY] {
        let at = stand(bytes).await;
        let ns = at.user(1);
        cold_people(&at, &ns, 0..MANY).await;
        let found = futures::future::join_all((0..50).map(|id| name_of(&at, &ns, id))).await;
        assert_eq!(found, (0..50).map(|id| Some(Some(some_name(id)))).collect::<Vec<_>>());
        name_of(&at, &ns, 60).await;
    }
}

/// `(id int8 primary key, tags text[])`, and the same with another column later.
fn tagged(more: bool) -> Arc<Layout> {
    let list = ColumnType::List(Box::new(ColumnType::Text));
    let mut columns = vec![column("id", ColumnType::Int64), column("tags", list)];
    if more {
        let missing: ArrayRef = Arc::new(Int32Array::from(vec![5]));
        columns.push(Column { missing: Some(missing), ..column("more", ColumnType::Int32) });
        columns.push(column("null", ColumnType::Text));
    }
    Arc::new(Layout::new(RelationId(7), columns, vec![0], vec![], "public.tagged"))
}

/// Long lists: pages end for their bytes, not for their rows, and so not where blocks do.
fn long_lists(ids: std::ops::Range<i64>) -> RecordBatch {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for id in ids.clone() {
        for item in 0..id % 60 {
            let text = format!("{item} of {id} {}", "x".repeat((id % 100) as usize));
            lists.values().append_option((item % 5 != 0).then_some(text));
        }
        lists.append(id % 9 != 0);
    }
    let ids: ArrayRef = Arc::new(ids.collect::<Int64Array>());
    RecordBatch::try_new(tagged(false).schema(), vec![ids, Arc::new(lists.finish())]).unwrap()
}

#[tokio::test]
async fn pages_that_span_blocks_and_columns_added_later() {
    let at = stand(PLENTY).await;
    let ns = at.user(1);
    let batch = long_lists(0..3000);
    let keys = key::encode_all(&tagged(false), &batch).unwrap();
    let images = row::encode_all(&tagged(false), &batch).unwrap();
    let mut writes = WriteSet::new();
    for (key, image) in keys.iter().zip(&images) {
        writes.insert(&ns, &tagged(false), key.clone(), image.clone()).unwrap();
    }
    at.commit(writes).await;
    ns.flush(&tagged(false)).await.unwrap();
    let snapshot = at.store.snapshot();
    let get = async |layout: &Arc<Layout>, key: &Key| {
        ns.get(&snapshot, None, layout, key).await.unwrap().unwrap().image
    };
    for (key, image) in keys.iter().zip(&images).step_by(13) {
        assert_eq!(get(&tagged(false), key).await, *image);
    }
    let before = kept(&at);
    for (key, image) in keys.iter().zip(&images).step_by(201) {
        let found = get(&tagged(true), key).await;
        let found = row::decode(&tagged(true), &[found], &[1, 2, 3]).unwrap();
        let old = row::decode(&tagged(false), std::slice::from_ref(image), &[1]).unwrap();
        assert_eq!(found.column(0), old.column(0));
        assert_eq!(found.column(1).as_primitive::<arrow::datatypes::Int32Type>().value(0), 5);
        assert!(arrow::array::Array::is_null(found.column(2), 0));
    }
    assert_eq!(kept(&at), before);
}
