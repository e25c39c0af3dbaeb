//! How topics are made where brokers do not let clients do it, as on Event Hubs: commands for `az`,
//! and a Bicep file.

use super::Wanted;

/// How long a topic is kept for which nothing else is said: the most that Event Hubs keeps in its
/// smallest tier.
const USUAL_HOURS: u128 = 7 * 24;

const HOUR_MS: u128 = 3_600_000;

/// What becomes of old messages.
enum Old {
    /// They go after so many hours.
    Deleted(u128),
    /// The last one of each key stays.
    Compacted,
}

impl Old {
    fn of(topic: &Wanted) -> Old {
        let mut properties = topic.required.iter().chain(&topic.suggested);
        if properties
            .clone()
            .any(|(name, value)| *name == "cleanup.policy" && value == "compact")
        {
            return Old::Compacted;
        }
        let kept = properties.find(|(name, _)| *name == "retention.ms");
        let kept = kept.and_then(|(_, ms)| ms.parse::<u128>().ok());
        Old::Deleted(kept.map_or(USUAL_HOURS, |ms| ms.div_ceil(HOUR_MS)))
    }
}

/// Commands that make these topics in a namespace (`None`: the operator says which).
pub fn az(topics: &[&Wanted], namespace: Option<&str>) -> String {
    let namespace = namespace.unwrap_or("$NAMESPACE");
    let mut text = String::new();
    for topic in topics {
        let old = match Old::of(topic) {
            Old::Deleted(hours) => {
                format!("--cleanup-policy Delete --retention-time-in-hours {hours}")
            }
            Old::Compacted => "--cleanup-policy Compact".to_owned(),
        };
        text.push_str(&format!(
            "az eventhubs eventhub create --resource-group \"$RESOURCE_GROUP\" \\\n    \
             --namespace-name \"{namespace}\" --name {} --partition-count {} \\\n    {old}\n",
            topic.name, topic.created,
        ));
    }
    text
}

/// A Bicep file that makes these topics.
pub fn bicep(topics: &[&Wanted]) -> String {
    let mut text = "param namespaceName string\n\nresource hubs \
                    'Microsoft.EventHub/namespaces@2024-01-01' existing = {\n  name: \
                    namespaceName\n}\n"
        .to_owned();
    for topic in topics {
        let kind = topic.name.rsplit('.').next().unwrap_or_default();
        let old = match Old::of(topic) {
            Old::Deleted(hours) => {
                format!("      cleanupPolicy: 'Delete'\n      retentionTimeInHours: {hours}\n")
            }
            Old::Compacted => "      cleanupPolicy: 'Compact'\n".to_owned(),
        };
        text.push_str(&format!(
            "\nresource {} 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {{\n  parent: \
             hubs\n  name: '{}'\n  properties: {{\n    partitionCount: {}\n    \
             retentionDescription: {{\n{old}    }}\n  }}\n}}\n",
            kind.replace('-', "_"),
            topic.name,
            topic.created,
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> [Wanted; 2] {
        let topic = |name: &str, created, required: &[(&'static str, &str)]| Wanted {
            name: name.into(),
            partitions: None,
            created,
            required: required
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            suggested: vec![("retention.ms", "9000001".to_owned())],
        };
        [
            topic("w.dead-letters", 1, &[]),
            topic("w.rules", 3, &[("cleanup.policy", "compact")]),
        ]
    }

    #[test]
    fn commands_have_all_that_topics_must_be() {
        let topics = topics();
        let topics: Vec<&Wanted> = topics.iter().collect();
        assert_eq!(
            az(&topics, Some("ns")),
            "az eventhubs eventhub create --resource-group \"$RESOURCE_GROUP\" \\\n    \
             --namespace-name \"ns\" --name w.dead-letters --partition-count 1 \\\n    \
             --cleanup-policy Delete --retention-time-in-hours 3\n\
             az eventhubs eventhub create --resource-group \"$RESOURCE_GROUP\" \\\n    \
             --namespace-name \"ns\" --name w.rules --partition-count 3 \\\n    \
             --cleanup-policy Compact\n"
        );
        assert!(az(&topics, None).contains("--namespace-name \"$NAMESPACE\""));
    }

    #[test]
    fn the_bicep_file_has_all_that_topics_must_be() {
        let topics = topics();
        let topics: Vec<&Wanted> = topics.iter().collect();
        assert_eq!(
            bicep(&topics),
            "param namespaceName string\n\n\
             resource hubs 'Microsoft.EventHub/namespaces@2024-01-01' existing = {\n  \
             name: namespaceName\n}\n\n\
             resource dead_letters 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {\n  \
             parent: hubs\n  name: 'w.dead-letters'\n  properties: {\n    partitionCount: 1\n    \
             retentionDescription: {\n      cleanupPolicy: 'Delete'\n      \
             retentionTimeInHours: 3\n    }\n  }\n}\n\n\
             resource rules 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {\n  \
             parent: hubs\n  name: 'w.rules'\n  properties: {\n    partitionCount: 3\n    \
             retentionDescription: {\n      cleanupPolicy: 'Compact'\n    }\n  }\n}\n"
        );
    }
}
