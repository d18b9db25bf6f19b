//! RE2's syntax, read into the tree that the engine takes.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition};

use super::{AnchorMode, RegexError, groups};

/// How often a part may be repeated, repetitions of repetitions counted together.
const REPETITIONS: u32 = 1000;
/// How deep parts may be nested. RE2 has no such bound; the engine recurses, and no rule of anybody's comes near.
const DEPTH: usize = 250;
/// The last character there is.
const LAST: u32 = 0x10_ffff;

/// The tree of an expression.
///
/// # Errors
/// Where RE2 would not take it.
pub fn parse(pattern: &str, anchors: AnchorMode) -> Result<Hir, RegexError> {
    let flags = GroupFlags { any_case: false, by_line: anchors == AnchorMode::Lines, dot_takes_newline: false };
    let parser =
        Re2Parser { pattern, at: 0, flags, open: Vec::new(), group: OpenGroup::default(), repeated_since: None };
    parser.parse()
}

#[derive(Debug, Clone, Copy)]
struct GroupFlags {
    any_case: bool,
    by_line: bool,
    dot_takes_newline: bool,
}

/// What stands between two parentheses, as far as it is read.
#[derive(Debug, Default)]
struct OpenGroup {
    alternatives: Vec<ParsedPart>,
    parts: Vec<ParsedPart>,
}

/// A piece of the tree, and what bounds look at.
#[derive(Debug)]
struct ParsedPart {
    tree: Hir,
    /// The largest product of the repetitions that stand in each other.
    repeated: u64,
    depth: usize,
}

struct Re2Parser<'a> {
    pattern: &'a str,
    /// The byte that is read next.
    at: usize,
    flags: GroupFlags,
    /// The groups around the one that is read, with their flags.
    open: Vec<(OpenGroup, GroupFlags)>,
    group: OpenGroup,
    /// Where the operator begins that has just repeated a part.
    repeated_since: Option<usize>,
}

impl Re2Parser<'_> {
    fn parse(mut self) -> Result<Hir, RegexError> {
        while let Some(char) = self.peek() {
            let repeated_since = self.repeated_since.take();
            let from = self.at;
            match char {
                '(' if self.rest().starts_with("(?") => self.perl_group()?,
                '(' => {
                    self.at += 1;
                    self.open_group();
                }
                ')' => {
                    self.at += 1;
                    self.close_group()?;
                }
                '|' => {
                    self.at += 1;
                    self.group.end_alternative();
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    let (min, max) = match char {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    };
                    self.repeat(from, repeated_since, min, max, false)?;
                }
                '{' => match self.counts() {
                    Some((min, max)) => self.repeat(from, repeated_since, min, max, true)?,
                    None => self.literal(),
                },
                '^' => {
                    self.at += 1;
                    self.push(Hir::look(if self.flags.by_line { Look::StartLF } else { Look::Start }));
                }
                '$' => {
                    self.at += 1;
                    self.push(Hir::look(if self.flags.by_line { Look::EndLF } else { Look::End }));
                }
                '.' => {
                    self.at += 1;
                    let newline = self.flags.dot_takes_newline;
                    self.push(Hir::dot(if newline { Dot::AnyChar } else { Dot::AnyCharExceptLF }));
                }
                '[' => {
                    let class = self.class()?;
                    self.push(Hir::class(Class::Unicode(class)));
                }
                '\\' => self.backslash()?,
                _ => self.literal(),
            }
        }
        if !self.open.is_empty() {
            return Err(self.wrong("missing )", 0));
        }
        let all = std::mem::take(&mut self.group).end();
        if all.depth > DEPTH { Err(self.wrong("expression nests too deeply", self.at)) } else { Ok(all.tree) }
    }

    fn rest(&self) -> &str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    /// Takes the text, where it comes next.
    fn take(&mut self, text: &str) -> bool {
        let next = self.rest().starts_with(text);
        if next {
            self.at += text.len();
        }
        next
    }

    /// What is wrong, shown from there to where reading has come; from the beginning it is shown as a whole.
    fn wrong(&self, reason: &'static str, from: usize) -> RegexError {
        let to = if from == 0 && matches!(reason, "missing )" | "unexpected )") { self.pattern.len() } else { self.at };
        RegexError { reason, part: self.pattern[from..to].to_owned() }
    }

    fn push(&mut self, tree: Hir) {
        self.group.parts.push(ParsedPart { tree, repeated: 1, depth: 1 });
    }

    fn literal(&mut self) {
        if let Some(char) = self.next() {
            self.push_char(char.into());
        }
    }

    /// A character by its number. Surrogates have one, and no text has them.
    fn push_char(&mut self, code: u32) {
        let class = self.range(code, code);
        self.push(Hir::class(Class::Unicode(class)));
    }

    /// The characters of a range; where case does not count, their other cases too.
    fn range(&self, first: u32, last: u32) -> ClassUnicode {
        let chars = char::from_u32(first).or_else(|| char::from_u32(0xe000).filter(|_| last > 0xdfff));
        let until = char::from_u32(last).or_else(|| char::from_u32(0xd7ff).filter(|_| first < 0xd800));
        let range = chars.zip(until).map(|(first, last)| ClassUnicodeRange::new(first, last));
        self.folded(ClassUnicode::new(range))
    }

    fn folded(&self, mut class: ClassUnicode) -> ClassUnicode {
        if self.flags.any_case {
            class.case_fold_simple();
        }
        class
    }

    fn named(&self, class: ClassUnicode, negated: bool) -> ClassUnicode {
        let mut class = self.folded(class);
        if negated {
            class.negate();
        }
        class
    }

    fn open_group(&mut self) {
        self.open.push((std::mem::take(&mut self.group), self.flags));
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        let Some((around, flags)) = self.open.pop() else { return Err(self.wrong("unexpected )", 0)) };
        let part = std::mem::replace(&mut self.group, around).end();
        self.group.parts.push(part);
        self.flags = flags;
        Ok(())
    }

    /// `(?i)`, `(?i:`, `(?P<name>` or `(?<name>`
    fn perl_group(&mut self) -> Result<(), RegexError> {
        let from = self.at;
        if let Some(around) = ["(?=", "(?!", "(?<=", "(?<!"].into_iter().find(|around| self.rest().starts_with(around))
        {
            self.at += around.len();
            return Err(self.wrong("invalid perl operator", from));
        }
        let named = |start: &&str| self.rest().strip_prefix(start).is_some_and(|name| !name.is_empty());
        if let Some(start) = ["(?P<", "(?<"].into_iter().find(named) {
            let Some(end) = self.rest().find('>') else {
                self.at = self.pattern.len();
                return Err(self.wrong("invalid named capture group", from));
            };
            let name = &self.rest()[start.len()..end];
            let good = !name.is_empty() && name.chars().all(groups::in_name);
            self.at += end + 1;
            if !good {
                return Err(self.wrong("invalid named capture group", from));
            }
            self.open_group();
            return Ok(());
        }
        self.at += 2;
        let (mut flags, mut on, mut said) = (self.flags, true, false);
        loop {
            let Some(char) = self.next() else { return Err(self.wrong("invalid perl operator", from)) };
            match char {
                'i' => flags.any_case = on,
                'm' => flags.by_line = on,
                's' => flags.dot_takes_newline = on,
                // Greed does not change whether a text matches.
                'U' => {}
                '-' if on => {
                    (on, said) = (false, false);
                    continue;
                }
                ':' | ')' if on || said => {
                    if char == ':' {
                        self.open_group();
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err(self.wrong("invalid perl operator", from)),
            }
            said = true;
        }
    }

    /// Repeats the last part. A repetition of a repetition must be in parentheses.
    fn repeat(
        &mut self,
        from: usize,
        repeated_since: Option<usize>,
        min: u32,
        max: Option<u32>,
        counted: bool,
    ) -> Result<(), RegexError> {
        self.take("?");
        if let Some(since) = repeated_since {
            return Err(self.wrong("bad repetition operator", since));
        }
        let too_many = max.is_some_and(|max| max < min) || min > REPETITIONS || max.unwrap_or_default() > REPETITIONS;
        if counted && too_many {
            return Err(self.wrong("invalid repetition size", from));
        }
        let Some(part) = self.group.parts.pop() else {
            return Err(self.wrong("no argument for repetition operator", from));
        };
        let times = if counted { u64::from(max.unwrap_or(min).max(1)) } else { 1 };
        let repeated = part.repeated.saturating_mul(times);
        if counted && (min >= 2 || max >= Some(2)) && repeated > REPETITIONS.into() {
            return Err(self.wrong("invalid repetition size", from));
        }
        let tree = Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(part.tree) });
        self.group.parts.push(ParsedPart { tree, repeated, depth: part.depth + 1 });
        self.repeated_since = Some(from);
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,3}`; anything else in braces is text.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let inner = &self.rest()[1..];
        let inner = &inner[..inner.find('}')?];
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let leading_zero = digits.len() > 1 && digits.starts_with('0');
            // Ten digits are no number to RE2.
            digits.parse().ok().filter(|_| plain && !leading_zero && digits.len() < 10)
        };
        let counts = match inner.split_once(',') {
            None => number(inner).map(|count| (count, Some(count))),
            Some((min, "")) => number(min).map(|min| (min, None)),
            Some((min, max)) => number(min).zip(number(max).map(Some)),
        }?;
        self.at += inner.len() + 2;
        Some(counts)
    }

    fn backslash(&mut self) -> Result<(), RegexError> {
        match self.rest().chars().nth(1) {
            Some('b') => self.skip_and_push(Hir::look(Look::WordAscii)),
            Some('B') => self.skip_and_push(Hir::look(Look::WordAsciiNegate)),
            Some('A') => self.skip_and_push(Hir::look(Look::Start)),
            Some('z') => self.skip_and_push(Hir::look(Look::End)),
            Some('C') => self.skip_and_push(Hir::dot(Dot::AnyByte)),
            Some('Q') => {
                self.at += 2;
                while self.peek().is_some() && !self.take(r"\E") {
                    self.literal();
                }
            }
            _ => {
                if let Some(class) = self.escaped_class()? {
                    self.push(Hir::class(Class::Unicode(class)));
                } else {
                    let code = self.escape()?;
                    self.push_char(code);
                }
            }
        }
        Ok(())
    }

    fn skip_and_push(&mut self, tree: Hir) {
        self.at += 2;
        self.push(tree);
    }

    /// `\d` and its like, `\pN` or `\p{Greek}`
    fn escaped_class(&mut self) -> Result<Option<ClassUnicode>, RegexError> {
        let from = self.at;
        let Some(letter) = self.rest().strip_prefix('\\').and_then(|rest| rest.chars().next()) else { return Ok(None) };
        if let Some(class) = groups::perl(letter.to_ascii_lowercase()) {
            self.at += 2;
            return Ok(Some(self.named(class, letter.is_ascii_uppercase())));
        }
        if !letter.eq_ignore_ascii_case(&'p') {
            return Ok(None);
        }
        self.at += 2;
        let name_from = self.at;
        let name = match self.next() {
            Some('{') => {
                let Some(end) = self.rest().find('}') else {
                    self.at = self.pattern.len();
                    return Err(self.wrong("invalid character class range", from));
                };
                let name = self.rest()[..end].to_owned();
                self.at += end + 1;
                name
            }
            Some(_) => self.pattern[name_from..self.at].to_owned(),
            None => String::new(),
        };
        let (name, inverse) = name.strip_prefix('^').map_or((name.as_str(), false), |name| (name, true));
        let class = groups::unicode(name).ok_or_else(|| self.wrong("invalid character class range", from))?;
        Ok(Some(self.named(class, (letter == 'P') != inverse)))
    }

    /// One character that is written with a backslash, by its number.
    fn escape(&mut self) -> Result<u32, RegexError> {
        let from = self.at;
        self.at += 1;
        let Some(char) = self.next() else {
            return Err(RegexError { reason: "trailing \\", part: String::new() });
        };
        let octal = |parser: &Self| parser.peek().and_then(|char| char.to_digit(8));
        match char {
            // A digit alone would refer to a group, which RE2 does not do.
            '1'..='7' if octal(self).is_none() => Err(self.wrong("invalid escape sequence", from)),
            '0'..='7' => {
                let mut code = u32::from(char) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit) = octal(self) else { break };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                Ok(code)
            }
            'x' => self.hex(from),
            'a' => Ok(0x07),
            'f' => Ok(0x0c),
            'n' => Ok(0x0a),
            'r' => Ok(0x0d),
            't' => Ok(0x09),
            'v' => Ok(0x0b),
            char if char.is_ascii() && !char.is_ascii_alphanumeric() => Ok(char.into()),
            _ => Err(self.wrong("invalid escape sequence", from)),
        }
    }

    /// `\x1f` or `\x{1f}`, after the `x`
    fn hex(&mut self, from: usize) -> Result<u32, RegexError> {
        let first = self.next();
        if first == Some('{') {
            let (mut code, mut digits) = (0, 0);
            loop {
                match self.next() {
                    Some('}') if digits > 0 => return Ok(code),
                    Some(char) if char.is_ascii_hexdigit() => {
                        digits += 1;
                        code = code * 16 + char.to_digit(16).unwrap_or_default();
                        if code > LAST {
                            return Err(self.wrong("invalid escape sequence", from));
                        }
                    }
                    _ => return Err(self.wrong("invalid escape sequence", from)),
                }
            }
        }
        let second = self.next();
        let digit = |char: Option<char>| char.and_then(|char| char.to_digit(16));
        match (digit(first), digit(second)) {
            (Some(first), Some(second)) => Ok(first * 16 + second),
            _ => Err(self.wrong("invalid escape sequence", from)),
        }
    }

    /// `[a-z]`
    fn class(&mut self) -> Result<ClassUnicode, RegexError> {
        let from = self.at;
        self.at += 1;
        let negated = self.take("^");
        let mut class = ClassUnicode::empty();
        let mut first = true;
        loop {
            match self.peek() {
                None => return Err(self.wrong("missing ]", from)),
                Some(']') if !first => break,
                Some(_) => {}
            }
            first = false;
            let more = match self.posix_class()? {
                Some(more) => more,
                None => match self.escaped_class()? {
                    Some(more) => more,
                    None => self.class_range(from)?,
                },
            };
            class.union(&more);
        }
        self.at += 1;
        if negated {
            class.negate();
        }
        Ok(class)
    }

    /// `[:alpha:]`, within a class
    fn posix_class(&mut self) -> Result<Option<ClassUnicode>, RegexError> {
        let from = self.at;
        let Some(rest) = self.rest().strip_prefix("[:") else { return Ok(None) };
        let Some(end) = rest.find(":]") else { return Ok(None) };
        let name = &rest[..end];
        let (plain, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let class = groups::posix(plain);
        self.at += end + 4;
        let class = class.ok_or_else(|| self.wrong("invalid character class range", from))?;
        Ok(Some(self.named(class, negated)))
    }

    /// `a` or `a-z`, within the class that begins at `class`
    fn class_range(&mut self, class: usize) -> Result<ClassUnicode, RegexError> {
        let from = self.at;
        let first = self.class_char(class)?;
        let mut last = first;
        if self.rest().starts_with('-') && !self.rest()[1..].starts_with(']') && self.rest().len() > 1 {
            self.at += 1;
            last = self.class_char(class)?;
            if last < first {
                return Err(self.wrong("invalid character class range", from));
            }
        }
        Ok(self.range(first, last))
    }

    fn class_char(&mut self, class: usize) -> Result<u32, RegexError> {
        match self.peek() {
            None => Err(self.wrong("missing ]", class)),
            Some('\\') => self.escape(),
            Some(char) => {
                self.at += char.len_utf8();
                Ok(char.into())
            }
        }
    }
}

impl OpenGroup {
    fn end_alternative(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        self.alternatives.push(ParsedPart::of(parts, Hir::concat));
    }

    fn end(mut self) -> ParsedPart {
        self.end_alternative();
        ParsedPart::of(self.alternatives, Hir::alternation)
    }
}

impl ParsedPart {
    fn of(mut parts: Vec<Self>, join: fn(Vec<Hir>) -> Hir) -> Self {
        if parts.len() == 1
            && let Some(part) = parts.pop()
        {
            return part;
        }
        let repeated = parts.iter().map(|part| part.repeated).max().unwrap_or(1);
        let depth = parts.iter().map(|part| part.depth).max().unwrap_or_default() + 1;
        Self { tree: join(parts.into_iter().map(|part| part.tree).collect()), repeated, depth }
    }
}
