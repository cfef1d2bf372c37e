"""The inbox in Django's own database, where what models write is part of the transaction."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = textwrap.dedent(
    """
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.db"}},
        USE_TZ=True,
    )
    django.setup()

    from django.db import connection, models, transaction
    from milepost_receiver import InboxUnavailable, Receiver, Worked
    from milepost_receiver.django import django_inbox
    from tests.sdk.rooms import sent
    from tests.sdk.senders import SECRET, now


    class Done(models.Model):
        sequence = models.IntegerField()

        class Meta:
            app_label = "shop"


    with connection.schema_editor() as editor:
        editor.create_model(Done)
    clock = [1_000.0]
    inbox = django_inbox(Receiver.standard(secrets=[SECRET], now=now), now=lambda: clock[0])
    inbox.create()
    for sequence in (2, 1, 1):
        inbox.receive(*sent("standard", sequence=sequence))
    assert inbox.waiting() == 2


    def fail(entry):
        Done.objects.create(sequence=entry.notification.sequence)
        raise KeyError


    def apply(entry):
        assert connection.in_atomic_block
        assert entry.connection.alias == "default"
        Done.objects.create(sequence=entry.notification.sequence)


    assert inbox.work(fail) == Worked(failed=1)
    assert not Done.objects.exists()
    clock[0] += 10
    assert inbox.work(apply) == Worked(done=2)
    assert list(Done.objects.order_by("id").values_list("sequence", flat=True)) == [1, 2]
    with transaction.atomic():
        try:
            inbox.receive(*sent("standard", sequence=3))
        except InboxUnavailable:
            print("refused within a transaction")
    """
)


def test_what_models_write_is_kept_or_undone_with_the_mark(tmp_path: Path) -> None:
    # Django is set up once in a process, so this has one of its own.
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "refused within a transaction\n", done.stderr
