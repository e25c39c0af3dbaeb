//! Opens the page of a backtest from disk in a real browser, and uses it as a person does.

pub mod browser;
mod sample;

use std::path::PathBuf;

use browser::Browser;
use sample::Sample;
use tempfile::TempDir;
use watchfire::incident::{AttributeValue, Incident};
use watchfire::report::{self, Report};

/// A page on disk.
struct Page {
    file: PathBuf,
    _folder: TempDir,
}

fn on_disk(report: &Report<'_>) -> Page {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, report::page(report)).unwrap();
    Page {
        file,
        _folder: folder,
    }
}

/// The page in a browser that has nothing to complain of; `rest` follows its name in the address.
fn opened(page: &Page, rest: &str) -> Browser {
    let mut browser = Browser::open(1280);
    browser.visit(&page.file, rest);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser
}

/// How many incidents can be seen.
const SEEN: &str = "document.querySelectorAll('#list > details:not([hidden])').length";

/// What has the focus: its id, else its text.
const FOCUS: &str = "document.activeElement.id || document.activeElement.textContent.trim()";

/// The rules' names in the order of the table.
const RULES: &str = "[...document.querySelectorAll('#rules tbody th')]
    .map((head) => head.firstChild.textContent.trim()).join()";

#[test]
fn the_page_shows_what_was_found() {
    let sample = Sample::new();
    let page = on_disk(&sample.report());
    let mut browser = opened(&page, "");
    assert_eq!(browser.value(SEEN), sample.incidents.len());
    let card = browser.value("document.querySelector('.cards .value').textContent");
    assert_eq!(card, sample.incidents.len().to_string());
    assert_eq!(
        browser.value("document.querySelectorAll('#rules tbody tr').length"),
        sample.rules.len()
    );
    let bars = "[...document.querySelectorAll('.timeline .row b')].map((b) => +b.textContent)";
    assert_eq!(browser.value(bars), serde_json::json!([57, 31, 14, 7, 5]));
    let hours = "[...document.querySelectorAll('.heat td')]
        .reduce((sum, cell) => sum + (Number(cell.textContent) || 0), 0)";
    assert_eq!(browser.value(hours), sample.incidents.len());
    let links = "[...document.querySelectorAll('a[href^=\"#\"]')]
        .filter((link) => document.getElementById(link.hash.slice(1)) === null).length";
    assert_eq!(browser.value(links), 0, "links that lead nowhere");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_address_opens_its_incident() {
    let sample = Sample::new();
    let page = on_disk(&sample.report());
    let incident = &sample.incidents[20];
    let id = format!("incident-{}", incident.incident_id);
    let mut browser = opened(&page, &format!("#{id}"));
    let opened = "[...document.querySelectorAll('#list > details[open]')].map((one) => one.id)";
    assert_eq!(browser.value(opened), serde_json::json!([id]));
    browser.press("Enter");
    assert_eq!(browser.value(opened), serde_json::json!([]));
    browser.press("Enter");
    let rows = "document.querySelectorAll('#list tbody tr').length";
    assert_eq!(browser.value(rows), incident.evidence.len());
    let places = browser.value("document.querySelector('#list tbody').textContent");
    let places = places.as_str().unwrap();
    assert!(
        places.contains("archive/2026-03/activity-04.ndjson:71, record 0"),
        "{places}"
    );
    if incident.evidence.len() > 1 {
        assert!(places.contains("activity / 2 / 71, record 1"), "{places}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Goes on with the tabulator to what `expression` is true for.
fn tab_to(browser: &mut Browser, expression: &str) {
    for _ in 0..200 {
        browser.press("Tab");
        if browser.value(expression) == true {
            return;
        }
    }
    panic!("not reached with the keyboard: {expression}");
}

#[test]
fn the_keyboard_is_enough() {
    let sample = Sample::new();
    let page = on_disk(&sample.report());
    let mut browser = opened(&page, "");
    browser.press("Tab");
    assert_eq!(browser.value(FOCUS), "Skip to the results");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.value(outline), "solid");
    browser.press("Enter");
    assert_eq!(browser.value(FOCUS), "main");

    tab_to(
        &mut browser,
        "document.activeElement.textContent === 'Incidents'",
    );
    let sorted = "document.activeElement.closest('th').getAttribute('aria-sort')";
    browser.press("Enter");
    assert_eq!(browser.value(sorted), "descending");
    let mut names: Vec<(usize, &str)> = sample
        .rules
        .iter()
        .map(|row| (row.incidents as usize, row.rule_name.as_str()))
        .collect();
    names.sort_unstable();
    let in_order = |names: &[(usize, &str)]| {
        let names: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
        names.join(",")
    };
    browser.press("Enter");
    assert_eq!(browser.value(sorted), "ascending");
    assert_eq!(browser.value(RULES), in_order(&names));
    browser.press("Enter");
    names.reverse();
    assert_eq!(browser.value(RULES), in_order(&names));

    tab_to(&mut browser, "document.activeElement.id === 'by-rule'");
    browser.press("ArrowDown");
    let chosen = browser.value("document.activeElement.value");
    let of_rule = |incident: &&Incident| chosen == *incident.rule_id;
    let expected = sample.incidents.iter().filter(of_rule).count();
    assert!(expected > 0);
    assert_eq!(browser.value(SEEN), expected);
    browser.press("Home");
    tab_to(&mut browser, "document.activeElement.id === 'by-text'");
    browser.enter("LI.NA guessed");
    let titled = |incident: &&Incident| {
        incident.title
            == "Password guessed from one address by \
                                                           li.na@contoso.com"
    };
    let expected = sample.incidents.iter().filter(titled).count();
    assert!(expected > 0);
    assert_eq!(browser.value(SEEN), expected);
    let said = browser.value("document.getElementById('shown').textContent");
    assert_eq!(said, format!("{expected} of 57 incidents shown."));

    tab_to(
        &mut browser,
        "document.activeElement.localName === 'summary'",
    );
    browser.press("Enter");
    assert_eq!(
        browser.value("document.activeElement.parentElement.open"),
        true
    );
    // Past the last stop, the focus leaves the page and comes back to its beginning.
    tab_to(&mut browser, "document.activeElement.className === 'skip'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn hostile_texts_stay_texts() {
    const HOSTILE: &str =
        "</script><!--<script><img src=x onerror=\"document.title='taken'\">\u{2028}";
    let mut sample = Sample::new();
    for incident in &mut sample.incidents {
        incident.title = HOSTILE.into();
        incident.rule_name = HOSTILE.into();
        incident.attributes = vec![
            ("user".into(), AttributeValue::Text(HOSTILE.into())),
            (HOSTILE.into(), AttributeValue::Text(HOSTILE.into())),
        ];
        for evidence in &mut incident.evidence {
            evidence.resource_id = Some(HOSTILE.into());
            evidence.topic = HOSTILE.into();
        }
    }
    sample.comparison.appeared = sample.incidents.clone();
    sample.notes = vec![HOSTILE.into()];
    let page = on_disk(&sample.report());
    let mut browser = opened(&page, "");
    browser.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })");
    assert_eq!(browser.value(SEEN), sample.incidents.len());
    browser.press("Tab");
    let texts = "document.querySelectorAll('#list tbody tr').length";
    let evidence: usize = sample
        .incidents
        .iter()
        .map(|incident| incident.evidence.len())
        .sum();
    assert_eq!(browser.value(texts), evidence);
    let title = browser.value("document.querySelector('#list .title').firstChild.textContent");
    // What cannot be seen is written as JSON has it.
    assert_eq!(title, HOSTILE.replace('\u{2028}', "\\u2028"));
    assert_eq!(browser.value("document.images.length"), 0);
    assert_eq!(browser.value("document.scripts.length"), 2);
    assert!(
        browser
            .value("document.title")
            .as_str()
            .unwrap()
            .starts_with("Backtest of ")
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Texts that can be seen and stand out too little from what is behind them, with the ratio of
/// the two as WCAG has it; and whether the page is wider than its window.
const HARD_TO_READ: &str = "
(() => {
  const parts = (colour) => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return found.length === 3 ? [...found, 1] : found;
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((part, place) => part * a + below[place] * (1 - a));
  const behind = (node) => {
    if (node === null) {
      return [255, 255, 255];
    }
    const own = parts(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(node.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = [];
  let seen = 0;
  for (const node of document.body.querySelectorAll('*')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility({ visibilityProperty: true }) || node.matches('title')) {
      continue;
    }
    seen += 1;
    const style = getComputedStyle(node);
    const ink = parts(node.matches('svg text') ? style.fill : style.color);
    const ground = behind(node);
    const pair = [light(over(ink, ground)), light(ground)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) {
      bad.push(`${node.localName}.${node.className} ${ratio.toFixed(2)}: ${node.textContent}`);
    }
  }
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return { bad: [...new Set(bad)], seen, wide };
})()";

#[test]
fn it_can_be_read_by_day_by_night_on_a_phone_and_on_paper() {
    let sample = Sample::new();
    let page = on_disk(&sample.report());
    let mut browser = opened(&page, "");
    let open = "document.querySelectorAll('details').forEach((one) => { one.open = true; })";
    let mut grounds = Vec::new();
    for (media, scheme, width) in [
        ("screen", "light", 1280),
        ("screen", "dark", 1280),
        ("screen", "light", 400),
        ("screen", "dark", 400),
        ("print", "dark", 720),
    ] {
        let what = format!("{scheme} {media}, {width} wide");
        browser.show(media, scheme);
        browser.resize(width);
        browser.visit(&page.file, "");
        browser.value(open);
        browser.press("Tab");
        let found = browser.value(HARD_TO_READ);
        assert_eq!(found["bad"], serde_json::json!([]), "{what}");
        assert!(found["seen"].as_u64().unwrap() > 500, "{what}: {found}");
        assert_eq!(found["wide"], 0, "{what}: it scrolls sideways");
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(grounds[0], grounds[1], "the two schemes are the same");
    let rules = "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(
        document.querySelector('#rules .scroll'))";
    browser.show("screen", "light");
    browser.resize(1280);
    assert_eq!(
        browser.value(rules),
        0,
        "the table of rules scrolls sideways"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn without_javascript_the_numbers_are_there() {
    let sample = Sample::new();
    let page = on_disk(&sample.report());
    let mut browser = Browser::open(1280);
    browser.without_javascript();
    browser.visit(&page.file, "");
    assert_eq!(browser.value(RULES), {
        let names: Vec<&str> = sample
            .rules
            .iter()
            .map(|row| row.rule_name.as_str())
            .collect();
        names.join(",")
    });
    assert_eq!(
        browser.value("document.querySelectorAll('#rules button').length"),
        0
    );
    let seen = |what: &str| format!("document.querySelector('{what}').checkVisibility()");
    for (what, expected) in [(".cards", true), ("noscript p", true), ("#filters", false)] {
        assert_eq!(browser.value(&seen(what)), expected, "{what}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
