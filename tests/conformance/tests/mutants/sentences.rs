//! Each sentence of the contract, and the cases that hold it.
//!
//! The documentation of the trait is read as text. A sentence that no case quotes fails here, unless it is listed
//! with the reason why no case can hold it; and so does a case that quotes what the contract does not say.

use abide_conformance::cases;

const TRAIT: &str = include_str!("../../../../backends/core/src/store/mod.rs");
const ANSWERS: &str = include_str!("../../../../backends/core/src/store/answers.rs");
const OPTIONS: &str = include_str!("../../../../backends/core/src/store/options.rs");

/// Sentences that no case holds, by their first words.
const BEYOND: [&str; 10] = [
    "Words.", // A heading, as the next three.
    "Linearizable.",
    "Cancellation.",
    "Out of reach.",
    "Where sessions live.",  // What the trait is; the rest says what that means.
    "Stores a new session.", // Likewise; the list below it is what holds.
    "A store that cannot promise that", // About a store's documentation.
    "A store with a bound may forget", // Likewise.
    "There are no default methods", // The compiler holds it.
    "Called once, when the process is about", // About the caller.
];

/// The documentation in `source`, as one line of plain text: without marks of code, links and lists.
fn plain(source: &str) -> String {
    let docs = source.lines().filter_map(|line| line.trim().strip_prefix("///"));
    let text: Vec<_> = docs.flat_map(str::split_whitespace).collect();
    let text =
        text.join(" ").replace("**", "").replace('`', "").replace("*live*", "live").replace("*over*", "over");
    without_links(&text).replace(" - ", " ")
}

/// `[text](target)` and `[text]` become `text`.
fn without_links(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('[') {
        plain.push_str(&rest[..at]);
        let Some((inner, after)) = rest[at + 1..].split_once(']') else { break };
        plain.push_str(inner);
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}

/// The sentences of the trait's documentation.
fn sentences() -> Vec<String> {
    let at = TRAIT.find("/// Where sessions live.").expect("the trait's documentation");
    let text = plain(&TRAIT[at..]);
    text.split_inclusive(". ").map(|sentence| sentence.trim().to_owned()).collect()
}

#[test]
fn what_a_case_quotes_is_what_the_contract_says() {
    let said = [TRAIT, ANSWERS, OPTIONS].map(plain).join(" ");
    for case in cases() {
        for quote in case.holds().iter().filter(|quote| !quote.starts_with("race: ")) {
            assert!(said.contains(quote), "{} quotes what the contract does not say: {quote}", case.name());
        }
    }
}

#[test]
fn each_sentence_of_the_contract_is_held_by_a_case() {
    let quoted: Vec<_> = cases().flat_map(|case| case.holds()).collect();
    let held =
        |sentence: &str| quoted.iter().any(|quote| quote.contains(sentence) || sentence.contains(**quote));
    let beyond = |sentence: &str| BEYOND.iter().any(|start| sentence.contains(start));
    let loose: Vec<_> =
        sentences().into_iter().filter(|sentence| !held(sentence) && !beyond(sentence)).collect();
    assert!(loose.is_empty(), "no case holds {loose:#?}");
}
