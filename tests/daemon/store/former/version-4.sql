PRAGMA application_id = 1280527956;
PRAGMA user_version = 4;
BEGIN TRANSACTION;
CREATE TABLE defects (
	plate INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	x INTEGER NOT NULL, 
	y INTEGER NOT NULL, 
	width INTEGER NOT NULL, 
	height INTEGER NOT NULL, 
	area INTEGER NOT NULL, 
	score FLOAT NOT NULL, 
	peak_x INTEGER NOT NULL, 
	peak_y INTEGER NOT NULL, 
	edge BOOLEAN NOT NULL, 
	x_mm FLOAT, 
	y_mm FLOAT, 
	width_mm FLOAT, 
	height_mm FLOAT, 
	probability FLOAT, 
	unanswered INTEGER DEFAULT '0' NOT NULL, 
	vetoed BOOLEAN DEFAULT '0' NOT NULL, 
	PRIMARY KEY (plate, number), 
	FOREIGN KEY(plate) REFERENCES plates (plate) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "defects" VALUES(2,1,100,200,12,80,500,0.9375,105,240,0,1.5,2.5,0.5,3.25,0.875,1,0);
INSERT INTO "defects" VALUES(2,2,300,200,6,40,90,0.625,302,210,1,NULL,NULL,NULL,NULL,NULL,0,0);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	run VARCHAR(32), 
	kind VARCHAR NOT NULL, 
	plate INTEGER, 
	text VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "events" VALUES(1,'2026-11-20T08:03:05.000000+00:00','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','store',3,'a line''s event');
CREATE TABLE plates (
	plate INTEGER NOT NULL, 
	run VARCHAR(32) NOT NULL, 
	seen_at VARCHAR(32) NOT NULL, 
	recipe VARCHAR NOT NULL, 
	product VARCHAR, 
	part_id VARCHAR, 
	batch_id VARCHAR, 
	simulated BOOLEAN NOT NULL, 
	recipe_sha256 VARCHAR, 
	configuration_sha256 VARCHAR, 
	weights_sha256 VARCHAR, 
	classifier_sha256 VARCHAR, 
	code_sha256 VARCHAR, 
	verdict VARCHAR CHECK (verdict IN ('OK', 'NG', 'INCONCLUSIVE')), 
	causes JSON, 
	reason VARCHAR, 
	complete BOOLEAN, 
	rows INTEGER, 
	columns INTEGER, 
	windows INTEGER, 
	windows_scored INTEGER, 
	coverage FLOAT, 
	warnings JSON, 
	brightness FLOAT, 
	contrast FLOAT, 
	saturation FLOAT, 
	focus FLOAT, 
	classifier VARCHAR, 
	latency_s FLOAT, 
	decided_at VARCHAR(32), 
	pictures VARCHAR, 
	uptime_s FLOAT DEFAULT '0' NOT NULL, 
	image VARCHAR, 
	checksum VARCHAR, 
	PRIMARY KEY (plate), 
	UNIQUE (run, plate)
);
INSERT INTO "plates" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:01:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,'OK','[]','reason of 1',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:01:05.000000+00:00',NULL,6.5840000024763867259e-04,'sheet1.png','edd2c71102e3f57c');
INSERT INTO "plates" VALUES(2,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:02:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,'NG','["defect"]','reason of 2',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:02:05.000000+00:00','pictures/aaaaaaaa/000002',4.71758600178873166441e-03,'sheet2.png','371ddb63e24a059f');
INSERT INTO "plates" VALUES(3,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:03:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,'INCONCLUSIVE','["focus"]','reason of 3',1,3247,14653,150,150,1.0,'["dim"]',NULL,NULL,NULL,NULL,'none',0.25,'2026-11-20T08:03:05.000000+00:00',NULL,6.89419799891766160726e-03,'sheet3.png','df1af91089f2e943');
INSERT INTO "plates" VALUES(4,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2026-11-20T08:04:00.000000+00:00','P10B','P10B',NULL,'B7',0,NULL,NULL,'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.00898787999904016,'sheet4.png',NULL);
CREATE TABLE upkeep (
	id INTEGER NOT NULL CHECK (id = 1), 
	begun INTEGER NOT NULL, 
	pruned INTEGER NOT NULL, 
	highest_pruned INTEGER NOT NULL, 
	in_use BOOLEAN NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "upkeep" VALUES(1,4,0,0,0);
CREATE INDEX plates_ledger ON plates (run, verdict);
CREATE INDEX ix_plates_uptime_s ON plates (uptime_s);
CREATE INDEX ix_plates_seen_at ON plates (seen_at);
CREATE INDEX ix_events_at ON events (at);
COMMIT;
