//! What a change of a row means for a query over its table.

use std::cmp::Ordering;

use arrow::{
    array::{Array, ArrayRef, DynComparator, make_comparator},
    compute::SortOptions,
};

use crate::error::Result;

/// What is sent for one changed row, in order. Places are rows among the images that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    Nothing,
    Insert {
        new: usize,
    },
    Delete {
        old: usize,
    },
    Update {
        old: usize,
        new: usize,
    },
    /// An update of a row that the result can't name: the old one goes, the new one comes.
    Replace {
        old: usize,
        new: usize,
    },
}

/// Decides by which of the images match; `None`: there is none, or the filter isn't true for it.
/// `can_update`: the receiver can find the row that an update is about.
pub(super) fn fold(
    old: Option<usize>,
    new: Option<usize>,
    is_changed: impl FnOnce(usize, usize) -> bool,
    can_update: bool,
) -> Fold {
    match (old, new) {
        (None, None) => Fold::Nothing,
        (None, Some(new)) => Fold::Insert { new },
        (Some(old), None) => Fold::Delete { old },
        (Some(old), Some(new)) if !is_changed(old, new) => Fold::Nothing,
        (Some(old), Some(new)) if can_update => Fold::Update { old, new },
        (Some(old), Some(new)) => Fold::Replace { old, new },
    }
}

/// Tells whether two projected rows differ in anything that could be seen of them: `1.0` and
/// `1.00` do, as do `0` and `-0`.
pub(super) struct Difference {
    columns: Vec<Column>,
}

enum Column {
    Compared(DynComparator),
    /// Of a type that has no comparator.
    Whole(ArrayRef, ArrayRef),
}

impl Difference {
    pub(super) fn new(old: &[ArrayRef], new: &[ArrayRef]) -> Result<Self> {
        let columns = old
            .iter()
            .zip(new)
            .map(|(old, new)| match make_comparator(old, new, SortOptions::default()) {
                Ok(comparator) => Column::Compared(comparator),
                Err(_) => Column::Whole(old.clone(), new.clone()),
            })
            .collect();
        Ok(Difference { columns })
    }

    pub(super) fn is_changed(&self, old: usize, new: usize) -> bool {
        self.columns.iter().any(|column| match column {
            Column::Compared(compare) => compare(old, new) != Ordering::Equal,
            Column::Whole(olds, news) => {
                olds.slice(old, 1).to_data() != news.slice(new, 1).to_data()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use arrow::array::{Float64Array, Int32Array, ListArray, StringArray};
    use arrow::datatypes::Int32Type;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_the_design() {
        let changed = |_, _| true;
        let same = |_, _| false;
        assert_eq!(fold(None, None, changed, true), Fold::Nothing);
        assert_eq!(fold(None, Some(1), changed, true), Fold::Insert { new: 1 });
        assert_eq!(fold(Some(1), None, changed, true), Fold::Delete { old: 1 });
        assert_eq!(fold(Some(1), Some(2), same, true), Fold::Nothing);
        assert_eq!(fold(Some(1), Some(2), changed, true), Fold::Update { old: 1, new: 2 });
        assert_eq!(fold(Some(1), Some(2), changed, false), Fold::Replace { old: 1, new: 2 });
    }

    #[test]
    fn what_can_be_seen_differs() {
        let floats = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let texts = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let lists = |value: i32| {
            let rows = vec![Some(vec![Some(1), Some(value), None])];
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows)) as ArrayRef
        };
        let difference = |old: ArrayRef, new: ArrayRef| {
            Difference::new(&[old], &[new]).unwrap().is_changed(0, 0)
        };
        assert!(!difference(floats(vec![Some(f64::NAN)]), floats(vec![Some(f64::NAN)])));
        assert!(difference(floats(vec![Some(0.0)]), floats(vec![Some(-0.0)])));
        assert!(difference(floats(vec![None]), floats(vec![Some(0.0)])));
        assert!(!difference(floats(vec![None]), floats(vec![None])));
        assert!(difference(texts(vec!["1.0"]), texts(vec!["1.00"])));
        assert!(!difference(lists(2), lists(2)) && difference(lists(2), lists(3)));
    }

    /// A table of `(filter column, value)` by key; NULL in the filter column is no match.
    type Table = BTreeMap<u8, (Option<i32>, Option<i32>)>;

    fn visible(row: Option<&(Option<i32>, Option<i32>)>) -> Option<Option<i32>> {
        row.filter(|(a, _)| a.is_some_and(|a| a > 0)).map(|(_, b)| *b)
    }

    proptest! {
        /// Folding what is sent gives the query's result, with the key in the result and, as a
        /// multiset, without.
        #[test]
        fn folding_gives_the_result(
            changes in prop::collection::vec(
                (0..4_u8, prop::option::of((prop::option::of(-1..2_i32), prop::option::of(0..2_i32)))),
                0..200,
            ),
            can_update: bool,
        ) {
            let mut table = Table::new();
            let mut keyed: BTreeMap<u8, Option<i32>> = BTreeMap::new();
            let mut counts: BTreeMap<Option<i32>, i64> = BTreeMap::new();
            for (key, new) in changes {
                let before = visible(table.get(&key));
                match new {
                    Some(row) => table.insert(key, row),
                    None => table.remove(&key),
                };
                let after = visible(table.get(&key));
                let column = |value: Option<Option<i32>>| {
                    Arc::new(Int32Array::from(vec![value.flatten()])) as ArrayRef
                };
                let difference = Difference::new(&[column(before)], &[column(after)]).unwrap();
                let place = |image: Option<Option<i32>>| image.map(|_| 0);
                let what = fold(
                    place(before),
                    place(after),
                    |old, new| difference.is_changed(old, new),
                    can_update,
                );
                let goes = |value: Option<Option<i32>>| value.expect("a matching image");
                match what {
                    Fold::Nothing => {}
                    Fold::Insert { .. } => {
                        prop_assert!(keyed.insert(key, goes(after)).is_none());
                        *counts.entry(goes(after)).or_default() += 1;
                    }
                    Fold::Delete { .. } => {
                        prop_assert_eq!(keyed.remove(&key), before);
                        *counts.entry(goes(before)).or_default() -= 1;
                    }
                    Fold::Update { .. } | Fold::Replace { .. } => {
                        prop_assert_eq!(keyed.insert(key, goes(after)), before);
                        *counts.entry(goes(before)).or_default() -= 1;
                        *counts.entry(goes(after)).or_default() += 1;
                    }
                }
                let result: BTreeMap<u8, Option<i32>> = table
                    .iter()
                    .filter_map(|(key, row)| visible(Some(row)).map(|value| (*key, value)))
                    .collect();
                prop_assert_eq!(&keyed, &result);
                let mut expected: BTreeMap<Option<i32>, i64> = BTreeMap::new();
                for value in result.values() {
                    *expected.entry(*value).or_default() += 1;
                }
                counts.retain(|_, count| *count != 0);
                prop_assert_eq!(&counts, &expected);
            }
        }
    }
}
