"""``sync_coached_courses``: copy from the catalog which course runs are coached."""

from django.core.management.base import BaseCommand, CommandError

from coaching_plugin import coached_courses


class Command(BaseCommand):
    """Run it after the platform's ``cache_programs``, from cron."""

    help = "Add, update and take away coached course runs as the catalog's programs say. Operators' entries stay."

    def handle(self, *args, **options):
        """Bring the table up to date and say what changed; exit 1 where the catalog answers nonsense."""
        try:
            outcome = coached_courses.sync_with_catalog()
        except coached_courses.CatalogError as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        counts = ", ".join(f"{count} {what}" for what, count in sorted(outcome.items()))
        self.stdout.write(f"Coached course runs: {counts or 'none in the catalog'}.")
