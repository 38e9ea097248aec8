use std::collections::HashSet;

use super::*;
use crate::harness::Stand;
use crate::{ErrorKind, HotKind, WriteSet};

const BOTH: [HotKind; 2] = [HotKind::Memory, HotKind::RocksDb];
const SEQ: RelationId = RelationId(7);

fn counting() -> SequenceOptions {
    SequenceOptions { start: 1, increment: 1, min: 1, max: i64::MAX, cycle: false, cache: 1 }
}

#[tokio::test]
async fn values_go_up_and_last_is_known() {
    for kind in BOTH {
        let stand = Stand::new(kind).await;
        let ns = stand.user(1);
        assert_eq!(ns.sequence_last(SEQ).await.unwrap(), None);
        for expected in 1..=100 {
            assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), expected);
            assert_eq!(ns.sequence_last(SEQ).await.unwrap(), Some((expected, true)));
        }
        ns.sequence_set(SEQ, 1000, true).await.unwrap();
        assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), 1001);
        ns.sequence_set(SEQ, 5, false).await.unwrap();
        assert_eq!(ns.sequence_last(SEQ).await.unwrap(), Some((5, false)));
        assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), 5);
        let by_ten = SequenceOptions { increment: 10, ..counting() };
        assert_eq!(ns.sequence_next(SEQ, by_ten).await.unwrap(), 15, "ALTER SEQUENCE");
        assert_eq!(stand.user(2).sequence_next(SEQ, counting()).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn ends_are_errors_or_turns() {
    let stand = Stand::new(HotKind::Memory).await;
    let ns = stand.user(1);
    let down =
        SequenceOptions { start: -1, increment: -2, min: -5, max: -1, cycle: false, cache: 1 };
    let mut seen = Vec::new();
    let error = loop {
        match ns.sequence_next(SEQ, down).await {
            Ok(value) => seen.push(value),
            Err(error) => break error,
        }
    };
    assert_eq!((seen, error.kind()), (vec![-1, -3, -5], ErrorKind::Full));
    let turning = SequenceOptions { cycle: true, ..down };
    assert_eq!(ns.sequence_next(SEQ, turning).await.unwrap(), -1);
    let edge = SequenceOptions { start: i64::MAX, ..counting() };
    assert_eq!(ns.sequence_next(RelationId(8), edge).await.unwrap(), i64::MAX);
    assert!(ns.sequence_next(RelationId(8), edge).await.is_err());
}

#[tokio::test]
async fn an_orderly_restart_skips_nothing() {
    let stand = Stand::new(HotKind::RocksDb).await;
    let ns = stand.user(1);
    for _ in 0..3 {
        ns.sequence_next(SEQ, counting()).await.unwrap();
    }
    assert_eq!(ns.allocate_row_ids(RelationId(9), 5).await.unwrap(), 1);
    drop(ns);
    let stand = stand.reopen().await;
    let ns = stand.user(1);
    assert_eq!(ns.sequence_last(SEQ).await.unwrap(), Some((3, true)));
    assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), 4);
    assert_eq!(ns.allocate_row_ids(RelationId(9), 1).await.unwrap(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_handed_out_twice() {
    for kind in BOTH {
        let stand = Stand::new(kind).await;
        let mut tasks = Vec::new();
        for task in 0..16u32 {
            let ns = stand.user(1);
            tasks.push(tokio::spawn(async move {
                let (mut values, mut ids) = (Vec::new(), Vec::new());
                for i in 0..200 {
                    values.push(ns.sequence_next(SEQ, counting()).await.unwrap());
                    let count = 1 + (task * i) % 70;
                    let first = ns.allocate_row_ids(RelationId(9), count).await.unwrap();
                    ids.extend(first..first + i64::from(count));
                }
                (values, ids)
            }));
        }
        let (mut values, mut ids) = (HashSet::new(), HashSet::new());
        for task in tasks {
            let (more_values, more_ids) = task.await.unwrap();
            assert!(more_values.is_sorted());
            assert!(more_values.into_iter().all(|value| values.insert(value)));
            assert!(more_ids.into_iter().all(|id| ids.insert(id)));
        }
        assert_eq!(values.len(), 3200);
    }
}

#[tokio::test]
async fn a_commit_can_set_and_drop_a_sequence() {
    for kind in BOTH {
        let stand = Stand::new(kind).await;
        let ns = stand.user(1);
        assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), 1);
        let mut writes = WriteSet::new();
        writes.set_sequence(&ns, SEQ, 50, false);
        assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), 2, "not committed yet");
        let committed = stand.commit(writes).await;
        assert!(committed.positions.is_empty(), "subscribers see no sequences");
        assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), 50);
        ns.allocate_row_ids(SEQ, 3).await.unwrap();
        let mut writes = WriteSet::new();
        writes.drop_relation(&ns, SEQ);
        stand.commit(writes).await;
        assert_eq!(ns.sequence_last(SEQ).await.unwrap(), None);
        assert_eq!(ns.sequence_next(SEQ, counting()).await.unwrap(), 1);
        assert_eq!(ns.allocate_row_ids(SEQ, 1).await.unwrap(), 1);
    }
}
