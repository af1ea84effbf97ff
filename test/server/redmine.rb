# What the throw-away Redmine begins with, and its web server. Run by redmine.sh: rails runner redmine.rb PORT KEY
#
# Begins with Redmine's default roles, trackers, statuses and priorities; the REST API switched on; "admin" with the
# API key KEY; what the API itself cannot make: custom fields of issues.
port, key = ARGV
STDOUT.sync = true

Redmine::DefaultData::Loader.load('en')
Setting.rest_api_enabled = '1'
Setting.default_language = 'en'
Setting.notified_events = []

admin = User.find_by!(login: 'admin')
admin.update!(must_change_passwd: false)
Token.create!(user: admin, action: 'api').update_columns(value: key)

everywhere = {is_for_all: true, is_filter: true, tracker_ids: Tracker.pluck(:id)}
IssueCustomField.create!(name: 'Ticket', field_format: 'string', **everywhere)
IssueCustomField.create!(name: 'Platforms', field_format: 'list', multiple: true,
	possible_values: ['Linux', 'macOS', 'Windows'], **everywhere)

require 'puma'
# One thread: of two requests at once, SQLite makes one fail.
server = Puma::Server.new(Rails.application, Puma::Events.null, min_threads: 1, max_threads: 1)
server.add_tcp_listener('127.0.0.1', port.to_i)
listener = server.run
puts 'ready'
listener.join
