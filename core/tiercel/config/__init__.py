"""The configuration file: read with the place of everything, validated against the schemas of core and components, made into data.

text -> document (values and places) -> plugins are chosen and loaded -> schema of all components -> problems, or `Config`
"""
