//! The page of commands: what `--help` says of each, with its arguments.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};
use gatehouse::cli::Cli;

use super::markdown::{anchor, code, note, prose, table};

/// Arguments that every command has, described once.
const EVERYWHERE: [&str; 3] = ["config", "help", "version"];

/// The page.
pub fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let mut all = Vec::new();
    collect(&root, "gatehouse", &mut all);
    let runnable = all.iter().filter(|(_, command)| !command.is_subcommand_required_set());
    let rows: Vec<Vec<String>> = runnable
        .filter(|(name, _)| name != "gatehouse")
        .map(|(name, command)| vec![format!("[`{name}`](#{})", anchor(name)), about(command, false)])
        .collect();
    let mut page = note("the types in src/cli") + "# Commands\n\n" + &prose(&about(&root, true));
    page += &table(&["Command", "Does"], &rows);
    page += "Every command takes these:\n\n";
    page += &arguments(root.get_arguments());
    write!(page, "```text\n{}\n```\n\n", root.get_after_long_help().unwrap()).unwrap();
    for (name, command) in all.iter().skip(1) {
        page += &section(name, command);
    }
    page.trim_end().to_owned() + "\n"
}

fn collect<'a>(command: &'a Command, name: &str, all: &mut Vec<(String, &'a Command)>) {
    all.push((name.to_owned(), command));
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help" && !inner.is_hide_set()) {
        collect(inner, &format!("{name} {}", inner.get_name()), all);
    }
}

fn about(command: &Command, at_length: bool) -> String {
    let long = command.get_long_about().filter(|_| at_length);
    long.or(command.get_about()).map(ToString::to_string).unwrap_or_default()
}

fn section(name: &str, command: &Command) -> String {
    let level = if name.split(' ').count() > 2 { "###" } else { "##" };
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let mut text = format!("{level} {name}\n\n```text\n{usage}\n```\n\n");
    text += &paragraphs(&about(command, true));
    let own = command.get_arguments().filter(|argument| !EVERYWHERE.contains(&argument.get_id().as_str()));
    text + &arguments(own)
}

/// Prose, but for what is indented: that is code.
fn paragraphs(text: &str) -> String {
    let parts = text.split("\n\n").map(|part| match part.strip_prefix("  ") {
        Some(code) => format!("```text\n{}\n```\n\n", code.trim_end()),
        None => prose(part),
    });
    parts.collect()
}

fn arguments<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let rows: Vec<Vec<String>> = arguments.filter(|argument| !argument.is_hide_set()).map(row).collect();
    if rows.is_empty() { String::new() } else { table(&["Argument", "Meaning"], &rows) }
}

fn row(argument: &Arg) -> Vec<String> {
    let values: Vec<&str> = argument.get_value_names().into_iter().flatten().map(clap::builder::Str::as_str).collect();
    let takes_values = argument.get_action().takes_values();
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let mut names = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    if argument.is_positional() {
        names = values.join(" ");
    } else if takes_values {
        names = format!("{names} {}", values.join(" "));
    }
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut help = help.trim_end_matches('.').to_owned();
    let choices: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| match value.get_help() {
            Some(help) => format!("{} ({help})", code(value.get_name())),
            None => code(value.get_name()),
        })
        .collect();
    if takes_values && !choices.is_empty() {
        write!(help, ". One of {}", choices.join(", ")).unwrap();
    }
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| code(&value.to_string_lossy())).collect();
    if takes_values && !defaults.is_empty() {
        write!(help, ". Default: {}", defaults.join(", ")).unwrap();
    }
    if let Some(variable) = argument.get_env() {
        write!(help, ". Environment: {}", code(&variable.to_string_lossy())).unwrap();
    }
    vec![code(&names), help + "."]
}
