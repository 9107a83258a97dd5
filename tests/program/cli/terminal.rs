//! What is said, where, and to whom: help, messages, pipes.

use std::process::{Output, Stdio};

use crate::workplace::{INPUTS, Workplace};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_command_has_help_with_an_example() {
    let workplace = Workplace::new();
    let help = workplace.run("--help");
    assert!(help.status.success());
    let help = text(&help.stdout);
    let commands = "run rank sweep plan status merge map report info demo completions";
    for command in commands.split(' ') {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in\n{help}");
        for line in [format!("{command} --help"), format!("help {command}")] {
            let Output { status, stdout, stderr } = workplace.run(&line);
            let help = text(&stdout);
            assert!(status.success() && stderr.is_empty(), "{line}");
            assert!(help.contains("Example") && help.contains("occlumap "), "{line}\n{help}");
        }
    }
    for code in ["0 ", "1 ", "2 ", "75 ", "130 "] {
        assert!(help.contains(&format!("\n  {code}")), "exit code {code} in\n{help}");
    }
}

#[test]
fn no_arguments_at_all_is_a_question_for_help() {
    let Output { status, stdout, stderr } = Workplace::new().run("");
    assert_eq!((status.code(), stdout.len()), (Some(2), 0));
    assert!(text(&stderr).contains("Usage: occlumap <COMMAND>"));
}

#[test]
fn the_version_is_the_packages() {
    let Output { status, stdout, .. } = Workplace::new().run("--version");
    assert!(status.success());
    assert_eq!(text(&stdout), format!("occlumap {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn shells_get_their_completions() {
    let workplace = Workplace::new();
    for shell in ["bash", "zsh", "fish"] {
        let Output { status, stdout, stderr } = workplace.run(&format!("completions {shell}"));
        assert!(status.success() && stderr.is_empty(), "{shell}");
        assert!(text(&stdout).contains("--size-divisor") || shell == "fish", "{shell}");
        assert!(text(&stdout).contains("size-divisor"), "{shell}");
    }
    workplace.refuses("completions cmd", 2, &["'cmd'", "bash"]);
}

#[test]
fn quiet_is_silent_and_otherwise_the_answer_alone_is_on_standard_output() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --layers conv1 --top 1 --out");
    let Output { status, stdout, stderr } = workplace.run(&format!("{run} quiet --quiet"));
    assert!(status.success() && stdout.is_empty() && stderr.is_empty(), "{}", text(&stderr));
    let Output { status, stdout, stderr } = workplace.run(&format!("{run} loud"));
    assert!(status.success() && stdout.is_empty());
    assert!(text(&stderr).ends_with("wrote loud/maps\n"), "{}", text(&stderr));
    assert!(workplace.run("info --model alexnet").stderr.is_empty());
}

#[test]
fn colours_are_off_where_they_are_not_wanted() {
    let workplace = Workplace::new();
    let errors = |variables: &[(&str, &str)]| {
        let mut command = workplace.command("info --modle alexnet");
        command.env_remove("NO_COLOR").envs(variables.iter().copied());
        text(&command.output().unwrap().stderr)
    };
    // The variable that asks for colours shows that there are some to be left out.
    assert!(errors(&[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    assert!(!errors(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
    assert!(!errors(&[]).contains('\u{1b}'));
}

/// A pipe that nobody reads any more.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let workplace = Workplace::new();
    for line in ["info --model alexnet", "completions bash", "--help", "--version"] {
        let output =
            workplace.command(line).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(
            (output.status.code(), text(&output.stderr)),
            (Some(0), String::new()),
            "{line}"
        );
    }
}

#[test]
fn messages_that_nobody_reads_do_not_end_the_work() {
    let workplace = Workplace::new();
    let run = |line: &str| workplace.command(line).stderr(closed()).status().unwrap().code();
    let line = format!("run {INPUTS} --layers conv1 --top 1 --out out");
    assert_eq!(run(&line), Some(0));
    assert!(workplace.path("out/maps/conv1_min.npy").exists());
    assert_eq!(run(&line), Some(0));
    assert_eq!(run(&format!("{line} --seed 1")), Some(2));
    assert_eq!(run(&format!("rank {INPUTS} --images absent --out other")), Some(2));
    assert_eq!(run("rank --model alexnet --weights absent --images images --out other"), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Workplace::new().command("info --model alexnet").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("standard output cannot be written"));
}
