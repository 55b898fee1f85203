//! Pages of hand-made reports: as they are, and as no hostile dump may make them.

use sha2::{Digest, Sha256};

use super::*;
use crate::report::fixture;
use crate::scan::examples::Examples;
use crate::scan::summary::Summarizer;

const HOSTILE: [&str; 5] = [
    "</script><img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)\" x='",
    "]]><svg onload=alert(1)>--></title></style>",
    "\u{1b}[31m\u{202e}\u{0}\u{9b}",
    "&lt;b&gt;{{ title }}{% raw %}|<b>",
];

fn analysis() -> String {
    let lines = fixture::lines();
    let names: Vec<String> = lines
        .iter()
        .map(|line| match line {
            Line::Report(report) => report.dump.path.clone(),
            Line::Error(error) => error.path.clone(),
            Line::Summary(_) => String::new(),
        })
        .collect();
    let articles = lines.iter().enumerate().map(|(index, line)| article(index, line).unwrap());
    let all: Vec<String> = articles.collect();
    format!("{}{}{}", opening(&names).unwrap(), all.concat(), closing().unwrap())
}

fn scanned(interrupted: bool) -> String {
    let (mut sum, mut examples) = (Summarizer::default(), Examples::default());
    let mut lines = fixture::lines();
    if let Line::Report(report) = &mut lines[1]
        && let Some(signature) = report.signature.as_mut()
    {
        signature.cause.push_str("|other");
    }
    for line in &lines {
        if sum.add(line) {
            examples.keep(line);
        }
    }
    scan(&sum.finish(interrupted), |group| examples.of(group)).unwrap()
}

/// Without the style, which only changes with itself.
fn without_style(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    format!("{before}<style>…</style>{after}")
}

#[test]
fn a_page_of_one_report() {
    let report = Line::Report(Box::new(fixture::diagnosed()));
    let opening = opening(&["crash/agent.dmp".into()]).unwrap();
    let page = opening + &article(0, &report).unwrap() + &closing().unwrap();
    insta::assert_snapshot!(without_style(&page));
}

#[test]
fn pages_are_well_formed_and_hold_what_is_asked_for() {
    let page = scanned(true);
    let elements = check::read(&page);
    let count = |name: &str| elements.iter().filter(|element| element.0 == name).count();
    assert_eq!((count("h1"), count("main"), count("script")), (1, 1, 1));
    assert_eq!(elements.iter().filter(|element| is_class(element, "card group")).count(), 2);
    assert!(page.contains("The scan was broken off"));
    assert!(page.contains("2 files could not be read"), "{page}");
    for part in ["Cause", "Mechanism", "Program", "Calling module", "System", "Over time"] {
        assert!(page.contains(&format!(">{part}</h3>")), "{part}");
    }
    let page = analysis();
    let elements = check::read(&page);
    assert_eq!(elements.iter().filter(|element| is_class(element, "card dump")).count(), 5);
    assert!(page.contains("default-src 'none'") && !page.contains("script-src"));
}

fn is_class(element: &(String, Vec<(String, String)>), class: &str) -> bool {
    element.1.iter().any(|(key, value)| key == "class" && value == class)
}

/// Headings never skip a level on the way down.
#[test]
fn headings_are_in_order() {
    for page in [analysis(), scanned(false)] {
        let levels = check::read(&page).into_iter().filter_map(|(name, _)| {
            name.strip_prefix('h').and_then(|level| level.parse::<u32>().ok())
        });
        let levels: Vec<u32> = levels.collect();
        assert_eq!(levels.first(), Some(&1));
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    }
}

#[test]
fn text_from_a_dump_stays_text() {
    let count = |page: &str| {
        let all = check::read(page);
        (all.len(), all.iter().map(|element| element.1.len()).sum::<usize>())
    };
    // A separator in a signature adds a part to it: that page is only read.
    let plain = (count(&analysis()), count(&scanned(false)));
    for hostile in HOSTILE {
        let (analysis, scanned) = fixture::with_hostile(hostile, || (analysis(), scanned(false)));
        let counts = (count(&analysis), count(&scanned));
        if !hostile.contains('|') {
            assert_eq!(counts, plain, "{hostile}");
        }
        for page in [&analysis, &scanned] {
            assert!(!page.contains("<img") && !page.contains("<svg onload"), "{hostile}");
            assert!(!page.contains("\" onmouseover"), "{hostile}");
        }
    }
}

/// What is open has no heading that promises a reason.
#[test]
fn an_open_cause_shows_the_findings_in_place_of_reasons() {
    let page = article(0, &Line::Report(Box::new(fixture::inconclusive()))).unwrap();
    assert!(!page.contains("Likeliest handle-closed"), "{page}");
    assert!(page.contains("<details class=\"all\" open><summary>All findings (1)"), "{page}");
    let page = article(0, &Line::Report(Box::new(fixture::diagnosed()))).unwrap();
    assert!(
        page.contains("Why handle-closed") && page.contains("<details class=\"all\"><summary>")
    );
}

#[test]
fn a_scan_without_failures_is_a_page_too() {
    let page = scan(&Summarizer::default().finish(false), |_| None).unwrap();
    check::read(&page);
    assert!(page.contains("0 dumps read") && !page.contains("id=\"overview\""));
}

#[test]
fn a_group_without_a_report_says_so() {
    let mut sum = Summarizer::default();
    sum.add(&fixture::lines()[0]);
    let page = scan(&sum.finish(false), |_| None).unwrap();
    check::read(&page);
    assert!(page.contains("was not kept"));
}

#[test]
fn the_policy_allows_the_script_of_the_page_and_no_other() {
    let page = scanned(false);
    let (_, rest) = page.split_once("<script>").unwrap();
    let (script, _) = rest.split_once("</script>").unwrap();
    let hash = format!("sha256-{}", base64(&Sha256::digest(script)));
    assert_eq!(SCRIPT_HASH, hash);
    // "+" is escaped as any text is; browsers read the attribute back.
    assert!(page.contains("script-src"), "{page}");
}

fn base64(bytes: &[u8]) -> String {
    let digit = |number: u32| {
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char::from(digits[number as usize & 63])
    };
    let text =
        bytes.chunks(3).flat_map(|three| {
            let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
            let word = byte(0) << 16 | byte(1) << 8 | byte(2);
            (0..4u32).map(move |at| {
                if at as usize > three.len() { '=' } else { digit(word >> (18 - 6 * at)) }
            })
        });
    text.collect()
}
