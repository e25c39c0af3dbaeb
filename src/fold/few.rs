//! A map that mostly has an entry or two: a list as long as it is short. Most panes hold one
//! group of one pattern, and the smallest node of a tree has room for eleven.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Beyond so many entries a list is slower to add to than a tree.
const LIST_MAX: usize = 16;

/// A sorted map. Its byte form is that of any map.
#[derive(Clone, Debug)]
pub enum Few<K, V> {
    /// Ascending.
    List(Vec<(K, V)>),
    /// More than fit into a list.
    Tree(BTreeMap<K, V>),
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Few<K, V> {
        Few::List(Vec::new())
    }
}

impl<K: Ord + Clone, V> Few<K, V> {
    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        match self {
            Few::List(list) => {
                let place = list.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
                list.get(place).map(|(_, value)| value)
            }
            Few::Tree(tree) => tree.get(key),
        }
    }

    /// Changes the value of `key`; if there is none, the one that `make` makes.
    pub fn change(&mut self, key: &K, make: impl FnOnce() -> V, change: impl FnOnce(&mut V)) {
        match self {
            Few::List(list) => match list.binary_search_by(|(known, _)| known.cmp(key)) {
                Ok(place) => {
                    if let Some((_, value)) = list.get_mut(place) {
                        change(value);
                    }
                }
                Err(place) => {
                    let mut value = make();
                    change(&mut value);
                    if list.is_empty() {
                        list.reserve_exact(1);
                    }
                    list.insert(place, (key.clone(), value));
                    self.grow();
                }
            },
            Few::Tree(tree) => change(tree.entry(key.clone()).or_insert_with(make)),
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) {
        match self {
            Few::List(list) => list.retain(|(known, _)| known != key),
            Few::Tree(tree) => {
                tree.remove(key);
            }
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Few::List(list) => list.is_empty(),
            Few::Tree(tree) => tree.is_empty(),
        }
    }

    /// The entries, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (list, tree) = match self {
            Few::List(list) => (Some(list), None),
            Few::Tree(tree) => (None, Some(tree)),
        };
        let list = list.into_iter().flatten().map(|(key, value)| (key, value));
        list.chain(tree.into_iter().flatten())
    }

    /// The values, by their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn grow(&mut self) {
        if let Few::List(list) = self
            && list.len() > LIST_MAX
        {
            *self = Few::Tree(std::mem::take(list).into_iter().collect());
        }
    }
}

impl<K: Ord + Clone, V: PartialEq> PartialEq for Few<K, V> {
    fn eq(&self, other: &Few<K, V>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone + Serialize, V: Serialize> Serialize for Few<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Few::List(list) => serializer.collect_map(list.iter().map(|(key, value)| (key, value))),
            Few::Tree(tree) => serializer.collect_map(tree),
        }
    }
}

impl<'de, K: Ord + Clone + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Few<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Few<K, V>, D::Error> {
        let tree = BTreeMap::deserialize(deserializer)?;
        Ok(match tree.len() > LIST_MAX {
            true => Few::Tree(tree),
            false => Few::List(tree.into_iter().collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bytes::{from_bytes, to_bytes};

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_u8..40, any::<bool>()), 0..120)) {
            let (mut few, mut map) = (Few::default(), BTreeMap::new());
            for (key, adds) in steps {
                if adds {
                    few.change(&key, || 0_u32, |count| *count += 1);
                    *map.entry(key).or_insert(0) += 1;
                } else {
                    few.remove(&key);
                    map.remove(&key);
                }
                prop_assert!(few.iter().eq(map.iter()));
                prop_assert_eq!(few.get(&key), map.get(&key));
                prop_assert_eq!(few.is_empty(), map.is_empty());
            }
            let bytes = to_bytes(1, &few);
            prop_assert_eq!(&bytes, &to_bytes(1, &map));
            prop_assert_eq!(from_bytes::<Few<u8, u32>>(1, &bytes), Ok(few));
        }
    }
}
