//! Reads and writes `spec/requirements.toml`: one table a rule, in the small part of TOML that the file's head describes.
//!
//! A reader of its own keeps the file's lines, comments and order, so that recording a status changes one line and nothing else.

use std::collections::BTreeMap;
use std::fmt;

/// Groups of rules, in the order of the standard and then of its extensions.
pub(super) const GROUPS: &[&str] = &[
    "TYP", "FRM", "CON", "SES", "LNK", "RES", "PRF", "MSG", "OUT", "SRC", "TXN", "TLS", "SASL",
    "WS", "ANON", "CBS", "MGMT", "FLT", "PAIR", "RR", "SOLE",
];

/// The id of a rule, `LNK-24`. Ordered by group as above, then by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id {
    group: usize,
    number: u16,
}

impl Id {
    /// Reads `LNK-24`; nothing if the group is unknown or the number has not two digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (group, digits) = text.split_once('-')?;
        let group = GROUPS.iter().position(|known| *known == group)?;
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| is_number)?;
        Some(Self { group, number })
    }

    pub(super) fn group(self) -> &'static str {
        GROUPS[self.group]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.group(), self.number)
    }
}

/// The standard's keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Must,
    MustNot,
    Should,
    ShouldNot,
    May,
}

impl Level {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "MUST" => Self::Must,
            "MUST NOT" => Self::MustNot,
            "SHOULD" => Self::Should,
            "SHOULD NOT" => Self::ShouldNot,
            "MAY" => Self::May,
            _ => return None,
        })
    }

    /// A rule of this level has to be cited.
    pub(super) fn binds(self) -> bool {
        matches!(self, Self::Must | Self::MustNot)
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) covered: bool,
    pub(super) waiting: Option<String>,
    pub(super) exception: Option<String>,
    /// The line of the table's head, counted from 0.
    line: usize,
}

/// The file, as lines and as rules.
#[derive(Debug)]
pub(super) struct Requirements {
    lines: Vec<String>,
    pub(super) rules: BTreeMap<Id, Rule>,
}

impl Requirements {
    /// Reads the file's text; the error names the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut rules = BTreeMap::new();
        let heads: Vec<usize> = (0..lines.len())
            .filter(|line| lines[*line].starts_with('['))
            .collect();
        let ends = heads.iter().skip(1).copied().chain([lines.len()]);
        for (head, end) in heads.iter().copied().zip(ends) {
            let name = lines[head].trim_start_matches('[').trim_end_matches(']');
            let id = Id::parse(name)
                .ok_or_else(|| at(head, &format!("`{name}` is not the id of a rule")))?;
            let rule = table(&lines[head + 1..end], head)?;
            if rules.insert(id, rule).is_some() {
                return Err(at(head, &format!("{id} stands here for the second time")));
            }
        }
        Ok(Self { lines, rules })
    }

    /// The text with `covered = true` set for these rules and for no other; a covered rule waits no more.
    pub(super) fn with_covered(&self, covered: impl Fn(Id) -> bool) -> String {
        let heads: BTreeMap<usize, Id> = self
            .rules
            .iter()
            .map(|(id, rule)| (rule.line, *id))
            .collect();
        let mut out = String::new();
        let mut pending = false;
        for (number, line) in self.lines.iter().enumerate() {
            // After the last key of the table: before the empty line that closes it.
            if pending && line.is_empty() {
                out.push_str("covered = true\n");
                pending = false;
            }
            if let Some(id) = heads.get(&number) {
                pending = covered(*id);
            }
            if line == "covered = true" || (pending && line.starts_with("waiting = ")) {
                continue;
            }
            out.push_str(line);
            out.push('\n');
        }
        if pending {
            out.push_str("covered = true\n");
        }
        out
    }
}

fn table(lines: &[String], head: usize) -> Result<Rule, String> {
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    let mut covered = false;
    for (number, line) in (head + 1..).zip(lines) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line
            .split_once(" = ")
            .ok_or_else(|| at(number, "not `key = value`"))?;
        match (key, value) {
            ("covered", "true") => covered = true,
            (
                "level" | "side" | "section" | "text" | "violation" | "waiting" | "exception",
                value,
            ) => {
                let value = string(value).ok_or_else(|| at(number, "not a string on one line"))?;
                if values.insert(key, value).is_some() {
                    return Err(at(
                        number,
                        &format!("`{key}` stands here for the second time"),
                    ));
                }
            }
            _ => {
                return Err(at(
                    number,
                    &format!("`{key}` is not a key, or `{value}` not its value"),
                ));
            }
        }
    }
    let mut required = |key: &str| {
        values
            .remove(key)
            .ok_or_else(|| at(head, &format!("the rule has no `{key}`")))
    };
    let (level, text) = (required("level")?, required("text")?);
    required("side")?;
    required("section")?;
    let level =
        Level::parse(&level).ok_or_else(|| at(head, &format!("`{level}` is not a level")))?;
    let (waiting, exception) = (values.remove("waiting"), values.remove("exception"));
    if covered && (waiting.is_some() || exception.is_some()) {
        return Err(at(head, "a covered rule neither waits nor is an exception"));
    }
    Ok(Rule {
        level,
        text,
        covered,
        waiting,
        exception,
        line: head,
    })
}

/// A basic string of TOML with the escapes `\"` and `\\`.
fn string(text: &str) -> Option<String> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut value = String::new();
    let mut chars = inside.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => value.push(
                chars
                    .next()
                    .filter(|escaped| matches!(escaped, '"' | '\\'))?,
            ),
            '"' => return None,
            other => value.push(other),
        }
    }
    Some(value)
}

fn at(line: usize, message: &str) -> String {
    format!("spec/requirements.toml:{}: {message}", line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "# head\n\n[TYP-01]\nlevel = \"MUST\"\nside = \"both\"\nsection = \"1.2\"\ntext = \"a \\\"b\\\"\"\n\n[LNK-02]\n\
        level = \"MAY\"\nside = \"sender\"\nsection = \"2.6\"\ntext = \"c\"\nwaiting = \"later\"\n";

    #[test]
    fn rules_are_read() {
        let read = Requirements::parse(TWO).unwrap();
        let ids: Vec<String> = read.rules.keys().map(Id::to_string).collect();
        assert_eq!(ids, ["TYP-01", "LNK-02"]);
        let rule = &read.rules[&Id::parse("TYP-01").unwrap()];
        assert_eq!(
            (rule.text.as_str(), rule.level, rule.covered),
            ("a \"b\"", Level::Must, false)
        );
        assert_eq!(
            read.rules[&Id::parse("LNK-02").unwrap()].waiting.as_deref(),
            Some("later")
        );
    }

    #[test]
    fn ids_have_a_known_group_and_two_digits() {
        for text in ["LNK-1", "LNK-001", "FOO-01", "LNK01", "lnk-01", "LNK-+1"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn recording_changes_only_its_lines() {
        let read = Requirements::parse(TWO).unwrap();
        let first = Id::parse("TYP-01").unwrap();
        let recorded = read.with_covered(|id| id == first);
        assert_eq!(
            recorded,
            TWO.replace("\"\n\n[LNK", "\"\ncovered = true\n\n[LNK")
        );
        let again = Requirements::parse(&recorded).unwrap();
        assert!(again.rules[&first].covered);
        assert_eq!(again.with_covered(|_| false), TWO);
    }

    #[test]
    fn a_covered_rule_waits_no_more() {
        let read = Requirements::parse(TWO).unwrap();
        let recorded = read.with_covered(|id| id == Id::parse("LNK-02").unwrap());
        assert_eq!(
            recorded,
            TWO.replace("waiting = \"later\"", "covered = true")
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        for (from, to, error) in [
            (
                "[LNK-02]",
                "[TYP-01]",
                "spec/requirements.toml:9: TYP-01 stands here for the second time",
            ),
            (
                "[LNK-02]",
                "[LNK-2]",
                "spec/requirements.toml:9: `LNK-2` is not the id of a rule",
            ),
            (
                "\"MAY\"",
                "\"CAN\"",
                "spec/requirements.toml:9: `CAN` is not a level",
            ),
            (
                "waiting",
                "wating",
                "spec/requirements.toml:14: `wating` is not a key, or `\"later\"` not its value",
            ),
            (
                "waiting",
                "covered = true\nwaiting",
                "spec/requirements.toml:9: a covered rule neither waits nor is an exception",
            ),
        ] {
            assert_eq!(
                Requirements::parse(&TWO.replace(from, to)).unwrap_err(),
                error
            );
        }
    }
}
