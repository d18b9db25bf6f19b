"""What clients sign and type: JSON web tokens, one-time passwords, SSH keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import struct
import time


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(issuer: str, secret: bytes, audience: str | None = None) -> str:
    """A token of gitlab-shell or kas. It lives longer than theirs, for our clients ask on through a whole failover."""
    now = int(time.time())
    claims: dict[str, object] = {"iss": issuer, "iat": now, "exp": now + 300, "jti": secrets.token_hex(8)}
    if audience:
        claims["aud"] = [audience]
    text = _encoded(b'{"alg":"HS256","typ":"JWT"}') + "." + _encoded(json.dumps(claims).encode())
    return text + "." + _encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())


def time_step() -> int:
    """The number of the half minute that one-time passwords of now are made of."""
    return int(time.time()) // 30


def one_time_password(secret: str, step: int) -> str:
    """The six digits of a half minute (RFC 6238)."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def ssh_key(name: str) -> str:
    """A public key; nobody has its private half."""
    kind = b"ssh-ed25519"
    body = hashlib.sha256(name.encode()).digest()
    return (
        "ssh-ed25519 " + base64.b64encode(struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + body).decode()
    )
