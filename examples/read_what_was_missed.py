"""Read what was missed while the receiver was away: run it after an outage, or every hour."""

import os
import sqlite3

from milepost_receiver import Inbox, Receiver, Replay

receiver = Receiver.standard(secrets=[os.environ["HUB_SECRET"]])
inbox = Inbox(receiver, connect=lambda: sqlite3.connect("shop.db")).create()
replay = Replay(
    receiver,
    url=os.environ["MILEPOST"],
    key=os.environ["KEY"],
    endpoint_id=os.environ["ENDPOINT"],
)
print(replay.fill(inbox))
