"""client.chat"""
