"""Package metadata of platform-plugin-coaching."""

from setuptools import find_packages, setup

setup(
    name="platform-plugin-coaching",
    version="0.1.0",
    description="Open edX plugin that asks eligible learners whether they want a coach, and proves the answer.",
    long_description=open("README.rst", encoding="utf-8").read(),
    long_description_content_type="text/x-rst",
    license="AGPL-3.0-only",
    license_files=["LICENSE"],
    packages=find_packages(include=["coaching_plugin", "coaching_plugin.*"]),
    include_package_data=True,
    # ``locale`` is a link to ``conf/locale``; MANIFEST.in would follow only one of the two.
    package_data={"coaching_plugin": ["locale/*/LC_MESSAGES/*", "conf/locale/*/LC_MESSAGES/*"]},
    zip_safe=False,
    python_requires=">=3.11",
    # The LMS carries and pins all of these but phonenumbers and standardwebhooks (which needs nothing itself); lower
    # bounds are those of the oldest release in service.
    install_requires=[
        "Django>=4.2",
        "djangorestframework>=3.15",
        "edx-django-utils>=7.0",
        "edx-opaque-keys>=3.0",
        "edx-toggles>=5.0",
        "edx-drf-extensions>=10.0",
        "openedx-filters>=2.0",
        "openedx-events>=10.0",
        "django-crum>=0.7.9",
        "django-waffle>=4.0",
        "celery>=5.2",
        "click>=8.1",
        "web-fragments>=2.0",
        "phonenumbers>=8.13",
        "requests>=2.31",
        "standardwebhooks>=1.0",
    ],
    extras_require={
        # For a roster by SFTP.
        "sftp": ["paramiko>=3.4"],
    },
    entry_points={
        "lms.djangoapp": ["coaching_plugin = coaching_plugin.apps:CoachingPluginConfig"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Django :: 4.2",
        "Framework :: Django :: 5.2",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
    ],
)
