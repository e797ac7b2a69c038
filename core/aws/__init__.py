"""The AWS gateways: the only code of the product that imports boto3.

Owns: where calls go (:mod:`session`), in whose name (:mod:`credentials`), how often (:mod:`pacing`), what is tried again
(:mod:`calls`), what failures mean (:mod:`errors`), and one thin gateway a service with the product's verbs:

========  ===========================================================================
find_     gives None when there is no such thing
get_      raises AwsNotFoundError instead
create_   makes one; raises AwsAlreadyExistsError where names are unique
put_      sets what it names, repeatable
delete_   missing is fine, repeatable
list_     reads all pages unless it says otherwise
========  ===========================================================================

Frozen dataclasses come out, tags are plain dicts, policy documents are dicts, times are in UTC.

Refuses: models, settings, tenants and any decision about what should exist. It never adopts, compares or repairs: it says what is there.

Known limits: nothing is streamed, whole small objects only. Creates without a client token (user pools, app clients, keys) are sent
once and never tried again, so a caller who hears ``answer_lost`` must look before it creates. AWS's lists lag behind its creates by
seconds. What these calls do on AWS itself is unverified where only a stand-in has answered: see ``docs/fidelity.md``.
"""
