"""A Kafka that asks who comes and what he may do: TLS by a CA of its own, SCRAM users, and an authorizer.

The tests' own eyes use its plain listener, whose nameless user may do everything.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization

from consumer.local import ports
from consumer.local.kafka import EmbeddedKafka

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ANSWER_SECONDS = 30.0

Grant = tuple[AclOperation, ResourceType, str]
"""An operation on a resource with exactly this name; a name that ends in * is a prefix."""


def _certificate(folder: Path) -> tuple[Path, Path]:
    """The server's key and certificate in one PEM file, as Kafka wants it, and the CA's certificate."""
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    server, authority = folder / "server.pem", folder / "ca.pem"
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    server.write_bytes(pkcs8 + b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    ca.cert_pem.write_to_path(authority)
    return server, authority


@dataclass
class SecureKafka:
    """`plain` and `secure` are the addresses of its two listeners, `ca` its authority's certificate."""

    plain: str
    secure: str
    ca: Path
    admin: AdminClient

    def user(self, *grants: Grant) -> dict[str, object]:
        """A new user with exactly these rights: what stands below [kafka] for him."""
        name, password = f"user-{secrets.token_hex(4)}", secrets.token_hex(16)
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        upserted = self.admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(name, info, password.encode())]
        )
        upserted[name].result(ANSWER_SECONDS)
        self.grant(name, grants)
        return {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": password,
        }

    def grant(self, name: str, grants: Iterable[Grant]) -> None:
        """Gives him more rights."""
        bindings = [
            AclBinding(
                kind,
                resource.removesuffix("*"),
                ResourcePatternType.PREFIXED if resource.endswith("*") else ResourcePatternType.LITERAL,
                f"User:{name}",
                "*",
                operation,
                AclPermissionType.ALLOW,
            )
            for operation, kind, resource in grants
        ]
        for made in self.admin.create_acls(bindings).values() if bindings else ():
            made.result(ANSWER_SECONDS)


@contextmanager
def running(folder: Path) -> Iterator[SecureKafka]:
    """Such a Kafka for as long as the block takes."""
    server, authority = _certificate(folder)
    port = ports.pick()
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server),
    }
    with EmbeddedKafka(properties=properties, listeners={"SASL_SSL": port}) as kafka:
        plain = kafka.bootstrap_servers
        admin = AdminClient({"bootstrap.servers": plain, "log_level": 0})
        yield SecureKafka(plain, f"127.0.0.1:{port}", authority, admin)
