//! The text that stands in a repository for a file kept in LFS.

/// A file kept in LFS, as a blob of the repository points to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LfsPointer {
    /// The SHA-256 of the file, in hex.
    pub oid: String,
    /// The bytes of the file.
    pub size: u64,
}

impl LfsPointer {
    /// Reads a pointer as git-lfs does: `key value` lines, `version` first, keys that mean nothing here passed over.
    #[must_use]
    pub fn parse(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let mut lines = text.split('\n').filter_map(|line| line.trim_ascii().split_once(' '));
        // The names that git-lfs had before it was git-lfs are read as well.
        let (_, version) = lines.next().filter(|(key, _)| *key == "version")?;
        if !["https://git-lfs.github.com/spec/", "https://hawser.github.com/spec/", "http://git-media.io/v/"]
            .iter()
            .any(|prefix| version.starts_with(prefix))
        {
            return None;
        }
        let (mut oid, mut size) = (None, None);
        for (key, value) in lines {
            match key {
                "oid" => oid = value.strip_prefix("sha256:").filter(|oid| is_sha256(oid)),
                "size" => size = value.parse().ok(),
                _ => {}
            }
        }
        Some(Self { oid: oid?.to_owned(), size: size? })
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read_as_git_lfs_reads_them() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let pointer = |version: &str, size: &str| format!("version {version}\noid sha256:{oid}\nsize {size}\n");
        let read = |text: &str| LfsPointer::parse(text.as_bytes()).map(|pointer| pointer.size);
        let v1 = "https://git-lfs.github.com/spec/v1";
        assert_eq!(read(&pointer(v1, "12345")), Some(12345));
        assert_eq!(read(pointer("https://hawser.github.com/spec/v1", "0").trim_ascii_end()), Some(0));
        assert_eq!(read(&pointer(v1, "1").replace('\n', "\r\n")), Some(1));
        assert_eq!(read(&pointer(&format!("{v1}\next-0-foo sha256:{oid}"), "1")), Some(1));
        assert_eq!(read(&pointer("https://example.com/spec/v1", "1")), None);
        assert_eq!(read(&pointer(v1, "-1")), None);
        assert_eq!(read(&pointer(v1, "1").replace("4d7a", "4D7A")), None);
        assert_eq!(read(&format!("oid sha256:{oid}\nsize 1\n")), None);
        assert_eq!(LfsPointer::parse(b"version \xff"), None);
    }
}
