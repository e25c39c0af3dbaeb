//! In which order messages are handed to the client where no transaction holds them together.

use std::collections::BTreeMap;

use super::Message;

/// Messages in rounds, each to be acknowledged before the next is sent: of those that are for one
/// partition one in each, in their order. Were one refused for good with others of its partition
/// behind it on their way, they would be there without it; and when it came once more, what it says
/// would be behind what they have said, and not count.
pub fn rounds(messages: &[Message]) -> Vec<Vec<&Message>> {
    let mut rounds: Vec<Vec<&Message>> = Vec::new();
    let mut sent: BTreeMap<(&str, i32), usize> = BTreeMap::new();
    for message in messages {
        // Those that are not for a partition by its number are in no order.
        let round = message.partition.map_or(0, |partition| {
            let sent = sent.entry((&*message.topic, partition)).or_insert(0);
            std::mem::replace(sent, *sent + 1)
        });
        match rounds.get_mut(round) {
            Some(round) => round.push(message),
            None => rounds.push(vec![message]),
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_partition_go_one_after_the_other() {
        fn check(messages: &[(&str, Option<i32>)], expected: &[&[usize]]) {
            let numbered = messages.iter().zip(0u8..);
            let messages = numbered.map(|((topic, partition), number)| Message {
                topic: (*topic).into(),
                partition: *partition,
                payload: vec![number],
                ..Message::default()
            });
            let messages: Vec<Message> = messages.collect();
            let number = |message: &&Message| usize::from(message.payload[0]);
            let found = rounds(&messages).into_iter();
            let found: Vec<Vec<usize>> = found
                .map(|round| round.iter().map(number).collect())
                .collect();
            assert_eq!(found, expected);
        }
        check(&[], &[]);
        check(&[("a", None), ("a", None)], &[&[0, 1]]);
        check(
            &[("a", Some(0)), ("a", Some(1)), ("b", Some(0))],
            &[&[0, 1, 2]],
        );
        check(
            &[
                ("a", Some(0)),
                ("a", Some(0)),
                ("b", None),
                ("a", Some(1)),
                ("a", Some(0)),
            ],
            &[&[0, 2, 3], &[1], &[4]],
        );
    }
}
