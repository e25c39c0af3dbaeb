//! A map that mostly has an entry or two: the first is kept in place, a few as a list, many as a
//! tree. Most panes hold one group of one pattern, and the smallest node of a tree has room for
//! eleven.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Beyond so many entries a list is slower to add to than a tree.
const LIST_MAX: usize = 16;

/// A sorted map. Its byte form is that of any map.
#[derive(Clone, Debug, Default)]
pub enum Few<K, V> {
    /// Nothing.
    #[default]
    None,
    /// One entry.
    One(K, V),
    /// Two or more, ascending.
    List(Vec<(K, V)>),
    /// More than fit into a list.
    Tree(BTreeMap<K, V>),
}

impl<K: Ord, V> Few<K, V> {
    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            Few::None => None,
            Few::One(known, value) => (known.borrow() == key).then_some(value),
            Few::List(list) => {
                let place = find(list, key).ok()?;
                list.get(place).map(|(_, value)| value)
            }
            Few::Tree(tree) => tree.get(key),
        }
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Few::None => None,
            Few::One(known, value) => ((*known).borrow() == key).then_some(value),
            Few::List(list) => {
                let place = find(list, key).ok()?;
                list.get_mut(place).map(|(_, value)| value)
            }
            Few::Tree(tree) => tree.get_mut(key),
        }
    }

    /// Gives `key` this value; the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(known) = self.get_mut(&key) {
            return Some(std::mem::replace(known, value));
        }
        match self {
            Few::None => *self = Few::One(key, value),
            Few::One(..) => {
                if let Few::One(first, of_first) = std::mem::take(self) {
                    let mut list = Vec::with_capacity(2);
                    let is_before = first < key;
                    list.push((first, of_first));
                    list.insert(usize::from(is_before), (key, value));
                    *self = Few::List(list);
                }
            }
            Few::List(list) if list.len() < LIST_MAX => {
                let place = find(list, &key).unwrap_or_else(|place| place);
                list.insert(place, (key, value));
            }
            Few::List(list) => {
                let mut tree: BTreeMap<K, V> = std::mem::take(list).into_iter().collect();
                tree.insert(key, value);
                *self = Few::Tree(tree);
            }
            Few::Tree(tree) => {
                tree.insert(key, value);
            }
        }
        None
    }

    /// The value of `key`; if there is none, the one that `make` makes.
    pub fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> Option<&mut V>
    where
        K: Clone,
    {
        if self.get(key).is_none() {
            self.insert(key.clone(), make());
        }
        self.get_mut(key)
    }

    /// Takes `key` out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Few::None => None,
            Few::One(known, _) if (*known).borrow() == key => match std::mem::take(self) {
                Few::One(_, value) => Some(value),
                Few::None | Few::List(_) | Few::Tree(_) => None,
            },
            Few::One(..) => None,
            Few::List(list) => {
                let place = find(list, key).ok()?;
                Some(list.remove(place).1)
            }
            Few::Tree(tree) => tree.remove(key),
        }
    }

    /// Keeps the entries for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        match self {
            Few::None => {}
            Few::One(key, value) => {
                if !keep(key, value) {
                    *self = Few::None;
                }
            }
            Few::List(list) => list.retain_mut(|(key, value)| keep(key, value)),
            Few::Tree(tree) => tree.retain(keep),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Few::None => 0,
            Few::One(..) => 1,
            Few::List(list) => list.len(),
            Few::Tree(tree) => tree.len(),
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (one, list, tree) = match self {
            Few::None => (None, None, None),
            Few::One(key, value) => (Some((key, value)), None, None),
            Few::List(list) => (None, Some(list), None),
            Few::Tree(tree) => (None, None, Some(tree)),
        };
        let list = list.into_iter().flatten().map(|(key, value)| (key, value));
        one.into_iter()
            .chain(list)
            .chain(tree.into_iter().flatten())
    }

    /// The entries, ascending, their values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let (one, list, tree) = match self {
            Few::None => (None, None, None),
            Few::One(key, value) => (Some((&*key, value)), None, None),
            Few::List(list) => (None, Some(list), None),
            Few::Tree(tree) => (None, None, Some(tree)),
        };
        let list = list.into_iter().flatten();
        let list = list.map(|(key, value)| (&*key, value));
        one.into_iter()
            .chain(list)
            .chain(tree.into_iter().flatten())
    }

    /// The values, by their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

fn find<K: Borrow<Q>, Q: Ord + ?Sized, V>(list: &[(K, V)], key: &Q) -> Result<usize, usize> {
    list.binary_search_by(|(known, _)| known.borrow().cmp(key))
}

impl<K: Ord, V: PartialEq> PartialEq for Few<K, V> {
    fn eq(&self, other: &Few<K, V>) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Few<K, V> {
        let mut few = Few::None;
        for (key, value) in entries {
            few.insert(key, value);
        }
        few
    }
}

impl<K: Ord + Serialize, V: Serialize> Serialize for Few<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Few::Tree(tree) => serializer.collect_map(tree),
            Few::None | Few::One(..) | Few::List(_) => {
                let list: Vec<(&K, &V)> = self.iter().collect();
                serializer.collect_map(list)
            }
        }
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Few<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Few<K, V>, D::Error> {
        Ok(BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bytes::{from_bytes, to_bytes};

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((0_u8..40, 0_u8..4), 0..120)) {
            let (mut few, mut map) = (Few::default(), BTreeMap::new());
            for (key, step) in steps {
                match step {
                    0 | 1 => {
                        *few.get_or_insert_with(&key, || 0_u32).unwrap() += 1;
                        *map.entry(key).or_insert(0) += 1;
                    }
                    2 => prop_assert_eq!(few.remove(&key), map.remove(&key)),
                    _ => {
                        few.retain(|known, _| known % 7 != key % 7);
                        map.retain(|known, _| known % 7 != key % 7);
                    }
                }
                prop_assert!(few.iter().eq(map.iter()));
                prop_assert_eq!(few.get(&key), map.get(&key));
                prop_assert_eq!(few.len(), map.len());
            }
            let bytes = to_bytes(1, &few);
            prop_assert_eq!(&bytes, &to_bytes(1, &map));
            prop_assert_eq!(from_bytes::<Few<u8, u32>>(1, &bytes), Ok(few));
        }
    }
}
