use super::*;

/// An incident with `attributes`, all else as plain as can be.
pub fn with_attributes(attributes: &[(&str, AttributeValue)]) -> Incident {
    Incident {
        incident_id: Hash([0x1a; 16]),
        revision: 24,
        status: Status::Open,
        rule_id: "PH_Rule_Test".into(),
        rule_name: "Command on a machine".into(),
        rule_fingerprint: Hash([0x2b; 16]),
        severity: 5,
        category: "Security".into(),
        subcategory: "Execution".into(),
        impacts: "Server".into(),
        tactics: vec!["TA0002".into()],
        techniques: vec!["T1059".into()],
        title: "Command run by mara@contoso.com".into(),
        window_ms: 300_000,
        first_seen: 1_772_356_502_000,
        last_seen: 1_772_356_560_000,
        event_count: 3,
        trigger_count: 1,
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()))
            .collect(),
        evidence: vec![Evidence {
            pattern: "Filter".into(),
            topic: "activity".into(),
            partition: 3,
            offset: 70,
            index: 1,
            time: 1_772_356_502_007,
            event_type: Some("MS_EvtHub_compute_virtualmachines_runcommand_action".into()),
            correlation_id: None,
            resource_id: None,
            record_hash: Hash([0x3c; 16]),
        }],
        late: false,
        close_reason: None,
        replaced_by: None,
        replaces: Vec::new(),
        truncated: false,
        test: false,
    }
}

#[test]
fn splits_attributes() {
    fn check(name: &str, value: AttributeValue, expected: &str) {
        let incident = with_attributes(&[(name, value)]);
        let split = incident.split();
        let show = |part: &str, list: &[(&str, String)]| {
            list.iter()
                .map(|(name, text)| format!("{part} {name}={text}"))
                .collect::<String>()
        };
        let found = show("source", &split.source)
            + &show("target", &split.target)
            + &show("detail", &split.detail);
        assert_eq!(found, expected, "{name}");
    }
    let text = |value: &str| AttributeValue::Text(value.into());
    check(
        "user",
        text("mara@contoso.com"),
        "source user=mara@contoso.com",
    );
    check("SRCIPADDR", text("192.0.2.7"), "source SRCIPADDR=192.0.2.7");
    check("hostName", text("vm-1"), "target hostName=vm-1");
    check("targetUser", text("root"), "target targetUser=root");
    check("count", AttributeValue::Number(3.0), "detail count=3");
    check("ratio", AttributeValue::Number(0.25), "detail ratio=0.25");
    check("user", AttributeValue::Null, "");
}

#[test]
fn names_bands_of_severity() {
    fn check(severity: u8, expected: &str) {
        let incident = Incident {
            severity,
            ..with_attributes(&[])
        };
        assert_eq!(incident.severity_band(), expected, "{severity}");
        assert!(SEVERITY_BANDS.contains(&expected));
    }
    check(1, "LOW");
    check(4, "LOW");
    check(5, "MEDIUM");
    check(8, "MEDIUM");
    check(9, "HIGH");
    check(10, "HIGH");
}

#[test]
fn what_is_too_much_is_cut() {
    let long = |name: &str| (name.into(), AttributeValue::Text("x".repeat(1_000)));
    let mut whole = with_attributes(&[]);
    whole.attributes = ["user", "hostName", "count"].map(long).into();
    let evidence = whole.evidence[0].clone();
    whole.evidence = (0..20)
        .map(|offset| Evidence {
            offset,
            ..evidence.clone()
        })
        .collect();
    whole.replaces = (0..100).map(|byte| Hash([byte; 16])).collect();
    // Attributes take 2,032 bytes and more each, evidence 411, the rest about 600.
    let check = |bytes_max: usize, kept: [usize; 3]| {
        let mut incident = whole.clone();
        incident.fit(bytes_max);
        let Incident {
            evidence,
            replaces,
            attributes,
            ..
        } = &incident;
        assert_eq!([evidence.len(), replaces.len(), attributes.len()], kept);
        assert_eq!(incident.truncated, bytes_max < whole.bytes());
        assert!(incident.bytes() <= bytes_max.max(600));
        let first = whole.evidence.iter().zip(&incident.evidence);
        assert!(first.clone().all(|(one, other)| one == other));
        let mut again = incident.clone();
        again.fit(bytes_max);
        assert_eq!(again, incident);
    };
    let bytes = whole.bytes();
    check(bytes, [20, 100, 3]);
    check(bytes - 1, [19, 100, 3]);
    let evidence = whole.evidence.iter().map(Evidence::bytes).sum::<usize>();
    check(bytes - evidence, [0, 100, 3]);
    check(bytes - evidence - 1, [0, 99, 3]);
    check(bytes - evidence - 41, [0, 98, 3]);
    check(bytes - evidence - 4_000, [0, 0, 3]);
    check(bytes - evidence - 4_001, [0, 0, 2]);
    check(0, [0, 0, 0]);
}
