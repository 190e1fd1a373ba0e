"""What Django tells the servers when the access of users may have changed."""

from dataclasses import dataclass, field

MOST = 100  # users that a notice names; beyond that, it is about everybody


@dataclass
class Notice:
    """Whose access to check, and who has logged out: the keys of users, as text."""

    users: set[str] = field(default_factory=set)
    logged_out: set[str] = field(default_factory=set)
    everybody: bool = False

    def update(self, other: "Notice") -> None:
        """Say what another notice says, too."""
        self.users |= other.users
        self.logged_out |= other.logged_out
        if other.everybody or len(self.users) > MOST:
            self.everybody = True
        if self.everybody:
            self.users.clear()
