"""Publish the first disclosure. Its words stand here, since what is published never changes."""

import hashlib

from django.db import migrations
from django.utils import timezone

VERSION = 1

BODIES = {
    "en": """\
${site_name} works with ${partner_name} to offer you a coach. Your coach writes to you and calls you in the name of ${site_name}.

If you agree, ${site_name} gives ${partner_name} your name, your phone number, your e-mail address and the programs you study in. Your coach uses them to reach you and to know what you are working on.

You agree to get recurring text messages and calls from ${partner_name}, in the name of ${site_name}, at the mobile phone number you give here. Some may be sent or dialed automatically. How many there are varies. Message and data rates may apply.

Reply STOP to any text message to end them, or HELP to get help. You can also withdraw at any time in your account settings.

Coaching costs you nothing extra. Agreeing is not a condition of enrollment or of any purchase.

You must be at least ${minimum_age} years old to agree.

How your data is handled: ${privacy_url}
""",
    "es-419": """\
${site_name} trabaja con ${partner_name} para ofrecerte un coach. Tu coach te escribe y te llama en nombre de ${site_name}.

Si aceptas, ${site_name} le da a ${partner_name} tu nombre, tu número de teléfono, tu dirección de correo electrónico y los programas en los que estudias. Tu coach los usa para comunicarse contigo y saber en qué estás trabajando.

Aceptas recibir mensajes de texto y llamadas recurrentes de ${partner_name}, en nombre de ${site_name}, en el número de teléfono móvil que indiques aquí. Algunos pueden enviarse o marcarse de forma automática. La cantidad varía. Pueden aplicarse tarifas de mensajes y datos.

Responde STOP a cualquier mensaje de texto para dejar de recibirlos, o HELP para obtener ayuda. También puedes retirar tu consentimiento en cualquier momento en la configuración de tu cuenta.

El coaching no te cuesta nada adicional. Aceptar no es una condición para inscribirte ni para comprar nada.

Debes tener al menos ${minimum_age} años para aceptar.

Cómo se tratan tus datos: ${privacy_url}
""",
    "ar": """\
تتعاون ${site_name} مع ${partner_name} لتقدّم لك مرشدًا. يكتب إليك مرشدك ويتصل بك باسم ${site_name}.

إذا وافقت، تعطي ${site_name} إلى ${partner_name} اسمك ورقم هاتفك وعنوان بريدك الإلكتروني والبرامج التي تدرس فيها. يستخدمها مرشدك للتواصل معك ولمعرفة ما تدرسه.

توافق على تلقّي رسائل نصية ومكالمات متكررة من ${partner_name} باسم ${site_name} على رقم الهاتف المحمول الذي تكتبه هنا. قد يُرسَل بعضها أو يُطلَب تلقائيًا. يختلف عددها. قد تُطبَّق رسوم الرسائل والبيانات.

أرسل STOP ردًّا على أي رسالة نصية لإيقاف الرسائل، أو HELP للحصول على المساعدة. يمكنك أيضًا سحب موافقتك في أي وقت من إعدادات حسابك.

لا يكلّفك الإرشاد أي مبلغ إضافي. وليست الموافقة شرطًا للتسجيل أو لأي عملية شراء.

يجب ألا يقل عمرك عن ${minimum_age} عامًا حتى توافق.

كيف نتعامل مع بياناتك: ${privacy_url}
""",
}


def publish(apps, schema_editor):
    """Add the disclosure in each language, where it is not there yet."""
    disclosures = apps.get_model("coaching_plugin", "Disclosure").objects.using(schema_editor.connection.alias)
    now = timezone.now()
    for language, body in BODIES.items():
        disclosures.get_or_create(
            version=VERSION,
            language=language,
            defaults={"body": body, "sha256": hashlib.sha256(body.encode()).hexdigest(), "published_at": now},
        )


class Migration(migrations.Migration):
    dependencies = [("coaching_plugin", "0001_initial")]

    # Back, the table goes with 0001; what was published is not taken out of it before.
    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
