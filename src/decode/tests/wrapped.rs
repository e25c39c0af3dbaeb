//! Records that lie within something else than `records`.

use super::*;

/// The lines of what a message has, for these names.
fn check(names: &str, message: &str, expected: &[&str]) {
    let decoder = decoder(&names.split_whitespace().collect::<Vec<_>>());
    let lines = decoded_with(&decoder, message.as_bytes());
    let said: Vec<&str> = lines.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(said, expected, "{message}");
}

#[test]
fn the_record_of_an_event_of_event_grid_is_its_data() {
    let event = |data: &str| {
        format!(
            r#"[{{"id":"1","topic":"/subscriptions/s","subject":"x","data":{data},
            "eventType":"Microsoft.Resources.ResourceActionSuccess",
            "eventTime":"2026-03-02T09:00:00Z","dataVersion":"2"}}]"#
        )
    };
    let names = "eventType user record.status record.subject record.data category subscriptionId";
    let record = r#"{"operationName":"Microsoft.A/b/action","status":"Succeeded",
        "claims":{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn":"kai@contoso.com"}}"#;
    let said = "2026-03-02T09:00:00.000Z MS_EvtHub_a_b_action kai@contoso.com Succeeded - - \
                Microsoft.Resources.ResourceActionSuccess s";
    check(names, &event(record), &[said]);
    let text = serde_json::Value::from(record).to_string();
    check(names, &event(&text), &[said]);
    let nothing = "2026-03-02T09:00:00.000Z MS_EvtHub_resources.resourceactionsuccess - - - - \
                   Microsoft.Resources.ResourceActionSuccess s";
    for none in ["{}", r#""no JSON""#, r#"{"data":{"status":"Failed"}}"#] {
        let said = nothing.replacen("- - - -", "- - - D", 1);
        let data = none.contains("Failed");
        let said = said.replace('D', if data { r#"{"status":"Failed"}"# } else { "-" });
        check(names, &event(none), &[&said]);
    }
    // Its own time counts before that of its delivery.
    let own = r#"{"time":"2026-03-02T08:59:58Z"}"#;
    check(
        "record.time",
        &event(own),
        &["2026-03-02T08:59:58.000Z 2026-03-02T08:59:58Z"],
    );
}

#[test]
fn the_record_of_a_cloud_event_is_its_data() {
    let event = r#"{"specversion":"1.0","type":"Microsoft.KeyVault.SecretNearExpiry","id":"2",
        "source":"/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v",
        "data":{"ObjectName":"n"},"time":"2026-03-02T09:00:00Z"}"#;
    let said = "2026-03-02T09:00:00.000Z MS_EvtHub_keyvault.secretnearexpiry v n";
    let names = "eventType resourceName record.objectName";
    check(names, event, &[said]);
    check(names, &format!("[{event},{event}]"), &[said, said]);
    check(names, &format!(r#"{{"records":[{event}]}}"#), &[said]);
    // Mended: it ends with a comma too many.
    check(names, &event.replace(r#""n"}"#, r#""n",}"#), &[said]);
}

#[test]
fn data_of_a_record_that_is_not_wrapped_is_data() {
    let names = "record.a record.data.a";
    check(
        names,
        r#"{"a":1,"data":{"a":2},"subject":"x","id":"1"}"#,
        &["1i 2i"],
    );
    check(
        names,
        r#"{"specversion":"1.0","a":1,"data":{"a":2}}"#,
        &["1i 2i"],
    );
}

#[test]
fn answers_of_rest_and_graph_are_read_as_their_records() {
    let a = r#"{"n":1,"time":"2026-03-02T09:00:00Z"}"#;
    let said = "2026-03-02T09:00:00.000Z 1i";
    for answer in [
        format!(r#"{{"value":[{a},{a}]}}"#),
        format!(r#"{{"@odata.context":"x","@odata.nextLink":{{"y":1}},"Value":[{a} , {a}]}}"#),
        format!(r#"{{ "value" : [ {a},{a}], "nextLink":"x" ,"count":2 }}"#),
        format!(r#"{{"value":[{a}]}}{{"value":[{a}]}}"#),
        format!("[{{\"value\":[{a}]}},\n{{\"odata.metadata\":\"\",\"value\":[[{a}]]}}]"),
    ] {
        check("record.n", &answer, &[said, said]);
    }
    check("record.n", r#"{"value":[]}"#, &[]);
    check(
        "record.n",
        r#"{"value":[1,{"n":2}]}"#,
        &["!not-an-object", "2i"],
    );
    // One that cannot be read harms no other.
    let broken = format!(r#"{{"value":[{a},{{"n":"x" "m"}},{a}]}}"#);
    check("record.n", &broken, &[said, "!not-json", said]);
    let cut = format!(r#"{{"count":2,"value":[{a},{{"n":"x"#);
    check("record.n", &cut, &[said, "!truncated"]);
}

#[test]
fn a_record_that_has_a_list_called_value_is_a_record() {
    for record in [
        r#"{"n":1,"value":[{"n":2}]}"#,
        r#"{"value":[{"n":2}],"n":1}"#,
        r#"{"value":{"n":2},"n":1}"#,
    ] {
        check("record.n", record, &["1i"]);
        check("record.n", &format!(r#"{{"records":[{record}]}}"#), &["1i"]);
    }
    let within = r#"{"records":[{"value":[{"n":2}]}]}"#;
    check("record.value.n", within, &["2i"]);
}

/// How many records of a message are not recognised, with a decoder for `names`.
fn unrecognised(names: &str, message: &str) -> u64 {
    let decoder = decoder(&names.split_whitespace().collect::<Vec<_>>());
    work(&decoder, message.as_bytes()).unrecognised
}

#[test]
fn records_of_which_nothing_is_known_are_counted() {
    let message = r#"{"records":[{"time":"2026-03-02T09:00:00Z","a":1},
        {"callerIpAddress":"10.0.0.1"},{"x":{"user":"eve"}},{"category":"X"},{"b":[1,]},
        {"caller":"kai@contoso.com",},7]}"#;
    // Whatever is asked for.
    let all = normalise::all()
        .list()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    for names in [
        "",
        "record.a rawEventMsg",
        "eventType",
        "user srcIpAddr eventType",
        &all.join(" "),
    ] {
        assert_eq!(unrecognised(names, message), 3, "{names}");
    }
}
