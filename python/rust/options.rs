//! Options of the command line in messages of the library, as callers from Python write them.

/// Sentences that name commands.
const SENTENCES: [(&str, &str); 5] = [
    ("`run`, `rank` and `sweep` with --force start anew", "--force starts anew"),
    ("`rank` and `sweep` with --force start anew", "--force starts anew"),
    (
        "`run`, `rank` and `sweep` with --force replace files of the same names",
        "--force replaces files of the same names",
    ),
    (
        "choose one of them (--weights-prefix), or save a file with one of them",
        "load the file and give those below one of them, as a dict `weights=`",
    ),
    (" too (--weights-prefix)", " too"),
];

/// Options without a value.
const FLAGS: [&str; 5] = ["force", "moments", "reliability-curve", "skip-unreadable", "statistics"];

/// Options with a value, which are keywords of the package's functions.
const VALUED: &[&str] = &[
    "batch",
    "block",
    "blur",
    "blurs",
    "compare",
    "context",
    "deposit",
    "device",
    "every",
    "examples",
    "fdr",
    "fill",
    "frame",
    "grid",
    "image-size",
    "images",
    "layer",
    "layers",
    "mean-over",
    "memory",
    "method",
    "model",
    "noise",
    "occluder-size",
    "occluder-stride",
    "only",
    "out",
    "precision",
    "preprocess",
    "ranking",
    "region",
    "repeats",
    "response",
    "seed",
    "shard",
    "size-divisor",
    "stride-divisor",
    "threads",
    "top",
    "units",
    "until-reliable",
    "verify",
    "weights",
];

/// A message whose options of the command line are Python's: `--force` is `force=True`, `--context frozen` is
/// `context="frozen"`, `--out` is `out=`. Others are left as they are.
pub fn in_python(message: &str) -> String {
    let message = SENTENCES.iter().fold(constants(message), |message, (sentence, instead)| {
        message.replace(sentence, instead)
    });
    let mut translated = String::with_capacity(message.len());
    let mut rest = message.as_str();
    while let Some(start) = rest.find("--") {
        let (before, found) = rest.split_at(start);
        translated.push_str(before);
        let begins =
            before.chars().next_back().is_none_or(|c| c.is_whitespace() || "(`'\"".contains(c));
        let length = found[2..].find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
        let (option, behind) = found.split_at(length.map_or(found.len(), |length| length + 2));
        rest = behind;
        match begins.then(|| keyword(&option[2..], behind)).flatten() {
            Some((keyword, value)) => {
                translated.push_str(&keyword);
                rest = &behind[value..];
            }
            None => translated.push_str(option),
        }
    }
    translated.push_str(rest);
    translated
}

/// A message whose constants of a preprocessing, `--mean 1,2,3 --std 4,5,6`, are Python's:
/// `preprocess=((1, 2, 3), (4, 5, 6))`.
fn constants(message: &str) -> String {
    let translated = || -> Option<String> {
        let (before, rest) = message.split_once("--mean ")?;
        let (mean, rest) = rest.split_once(" --std ")?;
        let (std, behind) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
        let [mean, std] = [mean, std].map(|numbers| numbers.replace(',', ", "));
        Some(format!("{before}preprocess=(({mean}), ({std})){behind}"))
    };
    translated().unwrap_or_else(|| message.to_owned())
}

/// The keyword that is an option, and how many bytes behind it are the value that it has taken.
fn keyword(option: &str, behind: &str) -> Option<(String, usize)> {
    let name = option.replace('-', "_");
    if FLAGS.contains(&option) {
        return Some((format!("{name}=True"), 0));
    }
    if !VALUED.contains(&option) {
        return None;
    }
    let words = behind.strip_prefix(' ').unwrap_or_default();
    let end = |words: &str| words.find(|c: char| c.is_whitespace() || ",;)`:".contains(c));
    let word = &words[..end(words).unwrap_or(words.len())];
    let taken = word.len() + 1;
    let number = |text: &str| !text.is_empty() && text.parse::<f64>().is_ok();
    if option == "memory" && number(word) {
        let unit = words[word.len()..].trim_start();
        let unit = &unit[..end(unit).unwrap_or(unit.len())];
        return Some((format!("{name}=\"{word} {unit}\""), taken + 1 + unit.len()));
    }
    if number(word) {
        return Some((format!("{name}={word}"), taken));
    }
    if let Some((height, width)) = word.split_once('x')
        && number(height)
        && number(width)
    {
        return Some((format!("{name}=({height}, {width})"), taken));
    }
    let is_choice = CHOICES.iter().any(|(of, choices)| *of == option && choices.contains(&word));
    Some(if is_choice { (format!("{name}=\"{word}\""), taken) } else { (format!("{name}="), 0) })
}

/// Values of options that are texts.
const CHOICES: [(&str, &[&str]); 9] = [
    ("context", &["exact", "frozen"]),
    ("deposit", &["centre", "area"]),
    ("device", &["auto", "cpu", "cuda"]),
    ("fill", &["noise", "gaussian", "mean", "zero", "grey", "blur", "images"]),
    ("frame", &["field", "reference"]),
    ("grid", &["reference", "zhou"]),
    ("method", &["incremental", "direct", "full"]),
    ("precision", &["fp32", "tf32", "fp16", "bf16x3", "bf16", "fp64"]),
    ("preprocess", &["none", "imagenet", "unit", "standardize"]),
];
