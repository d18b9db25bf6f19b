//! Git itself: repositories made for tests, and pushes as `git receive-pack` leaves them when it asks for leave.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use uuid::Uuid;

/// A folder that is gone after the test.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("gatehouse-{}", Uuid::new_v4().simple()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A run of git that is about to start, with nobody's settings but the test's.
pub struct Git(Command);

impl Git {
    pub fn new<S: AsRef<OsStr>>(repository: &Path, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(repository).args(arguments);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        Self(command)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// What it writes, or what it complains of.
    pub fn attempt(mut self, input: &[u8]) -> Result<Vec<u8>, String> {
        let mut child = self.0.stdin(Stdio::piped()).spawn().expect("git is installed");
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // On a thread of its own: git may write before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join().unwrap();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What it writes, where it must succeed.
    pub fn bytes(self, input: &[u8]) -> Vec<u8> {
        let what = format!("{:?}", self.0);
        self.attempt(input).unwrap_or_else(|complaint| panic!("{what}: {complaint}"))
    }

    /// The line that it writes, where it must succeed.
    pub fn line(self) -> String {
        String::from_utf8(self.bytes(b"")).unwrap().trim_end().to_owned()
    }
}

/// A bare repository.
#[derive(Debug, Clone)]
pub struct GitRepo {
    pub path: PathBuf,
}

/// Who a commit names, and who made it.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    pub name: &'a str,
    pub email: &'a str,
}

impl GitRepo {
    /// A new one below a storage's folder. Its `HEAD` is `refs/heads/main`.
    pub fn bare(storage: &Path, relative_path: &str) -> Self {
        let path = storage.join(relative_path);
        fs::create_dir_all(&path).unwrap();
        Git::new(&path, ["init", "--quiet", "--bare", "--initial-branch=main"]).bytes(b"");
        Self { path }
    }

    pub fn git<const N: usize>(&self, arguments: [&str; N]) -> Git {
        Git::new(&self.path, arguments)
    }

    /// Commits files onto a branch, made where it is missing, and answers with the id.
    pub fn commit(&self, branch: &str, files: &[(&str, &str)], message: &str) -> String {
        let dana = Author { name: "Dana", email: "dana@example.com" };
        self.commit_by(dana, branch, files, message)
    }

    /// Commits as somebody.
    pub fn commit_by(&self, author: Author<'_>, branch: &str, files: &[(&str, &str)], message: &str) -> String {
        let parent = self.id_of(&format!("refs/heads/{branch}"));
        let id = self.write_commit(author, parent.as_slice(), files, message);
        self.set_ref(&format!("refs/heads/{branch}"), &id);
        id
    }

    /// A commit upon these parents, with the files of the first one and these, that no ref points to.
    pub fn write_commit(
        &self,
        author: Author<'_>,
        parents: &[String],
        files: &[(&str, &str)],
        message: &str,
    ) -> String {
        let index = self.path.join(format!("index-{}", Uuid::new_v4().simple()));
        let with_index = |git: Git| git.env("GIT_INDEX_FILE", &index);
        let tree = parents.first().map_or("--empty", String::as_str);
        with_index(self.git(["read-tree", tree])).bytes(b"");
        for (path, contents) in files {
            let entry = format!("100644,{},{path}", self.blob(contents.as_bytes()));
            with_index(self.git(["update-index", "--add", "--cacheinfo", &entry])).bytes(b"");
        }
        let tree = with_index(self.git(["write-tree"])).line();
        let _ = fs::remove_file(&index);
        let mut arguments = vec!["commit-tree", tree.as_str()];
        arguments.extend(parents.iter().flat_map(|parent| ["-p", parent.as_str()]));
        let id = Git::new(&self.path, arguments)
            .env("GIT_AUTHOR_NAME", author.name)
            .env("GIT_AUTHOR_EMAIL", author.email)
            .env("GIT_COMMITTER_NAME", author.name)
            .env("GIT_COMMITTER_EMAIL", author.email)
            .bytes(message.as_bytes());
        String::from_utf8(id).unwrap().trim_end().to_owned()
    }

    /// An object written as it is: a commit with headers that git itself would not write.
    pub fn object(&self, kind: &str, contents: &[u8]) -> String {
        let id = self.git(["hash-object", "-w", "-t", kind, "--stdin"]).bytes(contents);
        String::from_utf8(id).unwrap().trim_end().to_owned()
    }

    pub fn blob(&self, contents: &[u8]) -> String {
        self.object("blob", contents)
    }

    /// Deletes a path from a branch and answers with the commit.
    pub fn remove(&self, branch: &str, path: &str) -> String {
        let name = format!("refs/heads/{branch}");
        let parent = self.id_of(&name).expect("there is such a branch");
        let listing = self.git(["ls-tree", "-r", &parent]).line();
        let kept: String = listing
            .lines()
            .filter(|line| !line.ends_with(&format!("\t{path}")))
            .fold(String::new(), |kept, line| kept + line + "\n");
        let index = self.path.join("index-remove");
        let with_index = |git: Git| git.env("GIT_INDEX_FILE", &index);
        with_index(self.git(["read-tree", "--empty"])).bytes(b"");
        with_index(self.git(["update-index", "--index-info"])).bytes(kept.as_bytes());
        let tree = with_index(self.git(["write-tree"])).line();
        let _ = fs::remove_file(&index);
        let id = self.git(["commit-tree", &tree, "-p", &parent, "-m", "Remove"]);
        let id = ["AUTHOR", "COMMITTER"].iter().fold(id, |git, who| {
            git.env(&format!("GIT_{who}_NAME"), "Dana").env(&format!("GIT_{who}_EMAIL"), "dana@example.com")
        });
        let id = id.line();
        self.set_ref(&name, &id);
        id
    }

    /// A light tag.
    pub fn tag(&self, name: &str, target: &str) -> String {
        self.set_ref(&format!("refs/tags/{name}"), target);
        target.to_owned()
    }

    /// A tag with a message: an object of its own, whose id this is.
    pub fn annotated_tag(&self, name: &str, target: &str, message: &str) -> String {
        let tag =
            format!("object {target}\ntype commit\ntag {name}\ntagger Dana <dana@example.com> 1 +0000\n\n{message}\n");
        let id = self.object("tag", tag.as_bytes());
        self.tag(name, &id)
    }

    pub fn set_ref(&self, name: &str, id: &str) {
        self.git(["update-ref", name, id]).bytes(b"");
    }

    pub fn delete_ref(&self, name: &str) {
        self.git(["update-ref", "-d", name]).bytes(b"");
    }

    /// What a ref points to.
    pub fn id_of(&self, name: &str) -> Option<String> {
        self.refs().into_iter().find(|(other, _)| other == name).map(|(_, id)| id)
    }

    fn refs(&self) -> Vec<(String, String)> {
        let listing = self.git(["for-each-ref", "--format=%(refname) %(objectname)"]).line();
        let refs = listing.lines().filter_map(|line| line.split_once(' '));
        refs.map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
    }

    /// A clone to work in: what is done there is pushed with [`Push::quarantine`].
    pub fn push(&self) -> Push {
        let folder = Folder::new();
        let clone = GitRepo::bare(folder.path(), "clone.git");
        let alternate = self.path.join("objects");
        fs::write(clone.path.join("objects/info/alternates"), format!("{}\n", alternate.display())).unwrap();
        for (name, id) in self.refs() {
            clone.set_ref(&name, &id);
        }
        Push { origin: self.clone(), clone, _folder: folder }
    }

    /// What these files look like to a test: a push of one commit to a branch, waiting in its quarantine.
    pub fn quarantined_push(&self, branch: &str, files: &[(&str, &str)], message: &str) -> Quarantined {
        let push = self.push();
        push.clone.commit(branch, files, message);
        push.quarantine()
    }
}

/// Work that has not been pushed yet.
#[derive(Debug)]
pub struct Push {
    /// Where to commit, tag and delete.
    pub clone: GitRepo,
    origin: GitRepo,
    _folder: Folder,
}

/// A push that `git receive-pack` has taken in and not accepted: its objects wait in a folder of their own.
#[derive(Debug)]
pub struct Quarantined {
    /// Relative to the repository, as all that follows.
    pub object_directory: String,
    pub alternates: Vec<String>,
    pub changes: Vec<Change>,
    origin: GitRepo,
}

/// One line of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub old: String,
    pub new: String,
    pub name: String,
}

const BLANK: &str = "0000000000000000000000000000000000000000";

impl Push {
    /// Sends a thin pack of everything that differs from the origin, as `git push --mirror` does.
    pub fn quarantine(&self) -> Quarantined {
        let (before, after) = (self.origin.refs(), self.clone.refs());
        let find = |refs: &[(String, String)], name: &str| {
            refs.iter().find(|(other, _)| other == name).map_or_else(|| BLANK.to_owned(), |(_, id)| id.clone())
        };
        let deleted = before.iter().filter(|(name, _)| find(&after, name) == BLANK);
        let changes = after.iter().chain(deleted).map(|(name, _)| Change {
            old: find(&before, name),
            new: find(&after, name),
            name: name.clone(),
        });
        let changes: Vec<Change> = changes.filter(|change| change.old != change.new).collect();

        let wanted = changes.iter().filter(|change| change.new != BLANK).map(|change| change.new.clone());
        let there = before.iter().map(|(_, id)| format!("^{id}"));
        let revisions = wanted.chain(there).fold(String::new(), |all, revision| all + &revision + "\n");
        let pack = ["pack-objects", "--quiet", "--revs", "--thin", "--delta-base-offset", "--stdout"];
        let pack = self.clone.git(pack).bytes(revisions.as_bytes());

        let name = &Uuid::new_v4().simple().to_string()[..6];
        let object_directory = format!("objects/tmp_objdir-incoming-{name}");
        let folder = self.origin.path.join(&object_directory);
        fs::create_dir_all(folder.join("pack")).unwrap();
        let index = self.origin.git(["index-pack", "--stdin", "--fix-thin"]).env("GIT_OBJECT_DIRECTORY", &folder);
        index.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.origin.path.join("objects")).bytes(&pack);
        Quarantined { object_directory, alternates: vec!["objects".to_owned()], changes, origin: self.origin.clone() }
    }
}

impl Quarantined {
    /// The only change, where there is one.
    pub fn change(&self) -> &Change {
        let [change] = self.changes.as_slice() else { panic!("not one change: {:?}", self.changes) };
        change
    }

    /// The lines as Gitaly sends them in `changes`.
    pub fn lines(&self) -> String {
        let line = |change: &Change| format!("{} {} {}\n", change.old, change.new, change.name);
        self.changes.iter().map(line).collect()
    }

    /// The `env` as Gitaly sends it: JSON inside a string.
    pub fn env(&self) -> Value {
        let env = json!({
            "GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE": self.alternates,
            "GIT_OBJECT_DIRECTORY_RELATIVE": self.object_directory,
        });
        Value::String(env.to_string())
    }

    /// Does what git does when the hook has said yes: the objects join the others, and the refs move.
    pub fn accept(self) {
        let objects = self.origin.path.join("objects");
        let quarantine = self.origin.path.join(&self.object_directory);
        for entry in fs::read_dir(quarantine.join("pack")).unwrap() {
            let entry = entry.unwrap();
            fs::rename(entry.path(), objects.join("pack").join(entry.file_name())).unwrap();
        }
        fs::remove_dir_all(quarantine).unwrap();
        for change in &self.changes {
            if change.new == BLANK {
                self.origin.delete_ref(&change.name);
            } else {
                self.origin.set_ref(&change.name, &change.new);
            }
        }
    }
}

/// The text that stands for a file of so many bytes in LFS.
pub fn lfs_pointer(oid: &str, size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n")
}
