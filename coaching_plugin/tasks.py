"""What Celery's workers do: deliver to the partner what waits."""

from celery import shared_task

from coaching_plugin.partner import delivery

# A worker has other things to do. What is left then is for the next task, or for the command.
SECONDS = 30


@shared_task(ignore_result=True)
def deliver_to_partner() -> None:
    """Deliver what is due, for about half a minute. Told nothing: what waits stands in the outbox."""
    delivery.drain(SECONDS)


def publish_delivery() -> None:
    """Publish ``deliver_to_partner``, once and at once. Raises where the broker cannot be reached."""
    # Over a connection of its own, which alone can be told to try no second time: over one of the pool, the learner
    # whose answer is being stored would wait for a broker that is gone.
    app = deliver_to_partner.app
    with app.connection_for_write(connect_timeout=1, transport_options={"max_retries": 0}) as connection:
        deliver_to_partner.apply_async(connection=connection, retry=False)
