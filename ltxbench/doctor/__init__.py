"""The examination of the machine before a run: can times taken now be trusted?"""
